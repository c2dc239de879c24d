/*
 * The dashboard asks for itself every few seconds, with htmx. This adds what polling alone lacks: a hidden tab does not ask,
 * a lost connection is said and then taken back, and a session that has ended leads to the sign-in page.
 */

const live = document.getElementById("live");

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) for (const each of document.querySelectorAll("[hx-trigger]")) window.htmx?.trigger(each, "shown");
});

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden) event.preventDefault();
});

for (const trouble of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.addEventListener(trouble, () => {
    live.textContent = "The connection is lost: these figures are old. They go on by themselves when it is back.";
  });
}

document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) live.textContent = "";
});

/* Whatever is answered instead of the dashboard (the sign-in page) is a page of its own. */
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  if (new URL(xhr.responseURL).pathname === event.detail.pathInfo.requestPath.split("?")[0]) return;
  event.preventDefault();
  location.reload();
});
