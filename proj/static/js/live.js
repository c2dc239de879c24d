/*
 * Pages that follow work with htmx: an element with hx-trigger="every 1s" asks for a fragment and swaps it in.
 * This adds what polling alone lacks: a hidden tab does not ask, a lost connection is said and then taken back, and
 * a session that has ended leads to the sign-in page, which never appears inside another.
 */

const lost = document.createElement("p");
lost.className = "notice notice-warn";
lost.textContent = "The connection is lost. This page goes on by itself when it is back.";

const isPolling = (event) => event.detail.elt?.getAttribute("hx-trigger")?.startsWith("every");

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && isPolling(event)) event.preventDefault();
});

document.addEventListener("htmx:sendError", () => {
  document.querySelector(".messages").append(lost);
});

document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) lost.remove();
});

document.addEventListener("htmx:beforeSwap", (event) => {
  if (!new URL(event.detail.xhr.responseURL).pathname.startsWith("/accounts/login/")) return;
  event.preventDefault();
  location.reload();
});
