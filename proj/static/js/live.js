/*
 * Pages that follow work. An element with hx-get and hx-trigger="every 1s" asks for itself and swaps itself in: polling, by
 * htmx. If it also names a stream of server-sent events in data-live, it asks when an event says that something has
 * changed, and polls only while the stream is not there: too many of them (429, 503), a server that starts again, a lost
 * network. An element that is swapped in without data-live ends the stream.
 *
 * And what polling alone lacks: a hidden tab neither asks nor holds a stream, a lost connection is said and then taken
 * back, and a session that has ended leads to the sign-in page, which never appears inside another.
 */

const QUIET = 25_000; // the server sends a heartbeat after 15 s of silence: without it the line is dead
const REFUSED = 30_000; // until a refused stream is asked for again

const lost = document.createElement("p");
lost.className = "notice notice-warn";
lost.textContent = "The connection is lost. This page goes on by itself when it is back.";

const streams = new Map(); // of this page, by their address

class Stream {
  constructor(url) {
    this.url = url;
    this.stale = true; // what the page shows may be old: until the first event, it may have changed since
    this.asking = false;
    this.open();
  }

  open() {
    this.heard = Date.now();
    this.source = new EventSource(this.url);
    this.source.addEventListener("open", () => (this.heard = Date.now()));
    this.source.addEventListener("heartbeat", () => (this.heard = Date.now()));
    this.source.addEventListener("change", () => {
      this.heard = Date.now();
      this.stale = true;
      this.refresh();
    });
  }

  close() {
    this.source.close();
    streams.delete(this.url);
  }

  /* Whether the page hears of news by itself; if not, it polls. Asked at each poll, so it also sees to the stream. */
  isSound() {
    const silent = Date.now() - this.heard;
    const refused = this.source.readyState === EventSource.CLOSED;
    if (silent > (refused ? REFUSED : QUIET)) {
      this.source.close();
      this.open();
    }
    return this.source.readyState === EventSource.OPEN && !this.stale;
  }

  refresh() {
    const part = document.querySelector(`[data-live="${this.url}"]`);
    if (!part || this.asking) return; // once it is answered, it asks again
    window.htmx.ajax("GET", part.getAttribute("hx-get"), {
      source: part,
      target: part,
      swap: "outerHTML",
      event: new CustomEvent("news"),
    });
  }

  asked() {
    this.asking = true;
    this.stale = false; // what changes from now on is told by another event
  }

  answered(successful) {
    this.asking = false;
    if (!successful) this.stale = true; // polling goes on until it works
    else if (this.stale) this.refresh();
  }
}

/* Open the streams that the page names, close those that it no longer does, and all while nobody looks. */
function follow() {
  const named = document.hidden ? [] : [...document.querySelectorAll("[data-live]")].map((part) => part.dataset.live);
  for (const stream of [...streams.values()]) if (!named.includes(stream.url)) stream.close();
  for (const url of named) if (!streams.has(url)) streams.set(url, new Stream(url));
}

const isPolling = ({ elt, requestConfig }) =>
  elt?.getAttribute("hx-trigger")?.startsWith("every") && requestConfig?.triggeringEvent?.type !== "news";

const streamOf = (event) => streams.get(event.detail.requestConfig?.elt?.dataset?.live);

document.addEventListener("htmx:beforeRequest", (event) => {
  const stream = streamOf(event);
  if (isPolling(event.detail) && (document.hidden || stream?.isSound())) event.preventDefault();
  else stream?.asked();
});

document.addEventListener("htmx:sendError", () => {
  document.querySelector(".messages").append(lost);
});

document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) lost.remove();
  streamOf(event)?.answered(event.detail.successful);
  follow();
});

document.addEventListener("htmx:beforeSwap", (event) => {
  if (!new URL(event.detail.xhr.responseURL).pathname.startsWith("/accounts/login/")) return;
  event.preventDefault();
  location.reload();
});

document.addEventListener("visibilitychange", follow);
follow();
