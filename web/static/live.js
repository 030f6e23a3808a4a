// Keeps a page up to date: htmx listens to the stream and fetches the parts that changed; here is
// what the stream does not do: say that it is broken, poll without it, count the time.
"use strict";
(() => {
  const SECOND_BEST_MS = 12000, MINUTE_MS = 60000, RETRY_MS = 30000, SILENT_MS = 45000, LATER = 4;
  const root = document.body.dataset.root, indicator = document.getElementById("indicator");

  // A row is the same row where its key says so: what is ticked or open in it stays with it. Whether
  // details are open is the reader's choice.
  const keyOf = (node) => node.dataset ? node.dataset.key : undefined;
  htmx.registerExtension("keep-open", {
    init: (internal) => {
      const alike = internal.isSoftMatch;
      internal.isSoftMatch = (a, b) => alike(a, b) && keyOf(a) === keyOf(b);
    },
    htmx_before_morph_attr: (element, { attrName }) =>
      !(attrName === "open" && element.localName === "details"),
  });

  const span = (seconds) => {
    seconds = Math.max(0, seconds);
    if (seconds < 60) return Math.floor(seconds) + " s";
    if (seconds < 3600) return Math.floor(seconds / 60) + " min";
    if (seconds < 172800) return Math.floor(seconds / 3600) + " h";
    return Math.floor(seconds / 86400) + " d";
  };
  const tick = () => {
    const now = Date.now() / 1000;
    for (const time of document.querySelectorAll("time[data-at]")) {
      const text = span(now - Number(time.dataset.at)) + " ago";
      if (time.textContent !== text) time.textContent = text;
    }
  };
  const print = document.getElementById("print");
  if (print) { print.hidden = false; print.addEventListener("click", () => window.print()); }
  setInterval(tick, 1000);
  tick();

  // What can be scrolled sideways can be reached with the keyboard.
  const reach = () => {
    for (const box of document.querySelectorAll(".scroll")) {
      if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0; else box.removeAttribute("tabindex");
    }
  };
  addEventListener("resize", reach);
  document.addEventListener("htmx:after:swap", () => { reach(); tick(); });
  reach();

  // "/" goes to the search field, as on many sites.
  document.addEventListener("keydown", (event) => {
    const field = document.getElementById("search");
    if (event.key !== "/" || !field || event.target.closest("input, textarea, select, [contenteditable]")) return;
    event.preventDefault();
    field.focus();
  });

  if (!indicator) return;
  const stale = document.getElementById("stale");
  const SILENT = "the site does not answer";
  let lastEvent = Number(document.body.dataset.lastEvent || 0), freshAt = new Date(), heardAt = Date.now();
  // A page without a stream of its own asks once a minute; one whose stream is away asks more often.
  const POLL_MS = document.getElementById("stream") ? SECOND_BEST_MS : MINUTE_MS, every = POLL_MS / 1000 + " s";
  let pollTimer = null, retryTimer = null, lastBeat = document.body.dataset.daemon || null, connected = false;

  const show = (state, title) => {
    indicator.className = "indicator " + state;
    indicator.textContent = state;
    indicator.title = title;
  };
  const happened = (kinds) => {
    for (const kind of kinds) htmx.trigger(document.body, "iop4d-" + kind);
  };
  const reason = (status, text) => {
    if (status === 401) return "you are no longer signed in";
    try { return JSON.parse(text).error.replace(/\.$/, ""); } catch { return "the site answers with the error " + status; }
  };
  // Says that the page shows what was, until it can be brought up to date.
  const failing = new Set();
  const tell = (wrong, part = "") => {
    if (wrong) failing.add(part); else failing.delete(part);
    if (!wrong && failing.size) return;
    if (wrong && stale.hidden) {
      if (wrong !== SILENT) show("stale", "The page could not be updated.");
      stale.textContent = "This page shows the state of " + freshAt.toISOString().slice(0, 19).replace("T", " ") + " UTC: " + wrong + ". It tries again automatically.";
    }
    if (!wrong) freshAt = new Date();
    if (!wrong && !stale.hidden) show(connected ? "live" : "polling", "The page is up to date again.");
    stale.hidden = !wrong;
  };

  // What could not be had is asked for again, and nothing else.
  const again = () => {
    for (const id of [...failing]) {
      if (!id) continue;
      const part = document.getElementById(id);
      if (part) htmx.ajax("GET", part.getAttribute("hx-get"), { source: part }); else tell("", id);
    }
  };
  const stream = () => document.getElementById("stream");
  const reopen = () => {
    clearTimeout(retryTimer);
    if (connected || document.hidden || !stream()) return;
    const old = stream()._htmx && stream()._htmx.sse;
    if (old && old.reader) old.reader.cancel();
    const fresh = stream().cloneNode();
    fresh.setAttribute("hx-sse:connect", root + "/events?page=1&since=" + lastEvent);
    stream().replaceWith(fresh);
    htmx.process(fresh);
  };
  const opened = () => {
    connected = true;
    heardAt = Date.now();
    clearInterval(pollTimer);
    pollTimer = null;
    if (stale.hidden) show("live", "New frames and results appear automatically.");
    else { tell(""); again(); }
  };
  const closed = () => {
    connected = false;
    if (indicator.textContent === "live") show("polling", "The stream was interrupted: this page updates every " + every + ".");
    clearTimeout(retryTimer);
    retryTimer = setTimeout(reopen, RETRY_MS * (1 + Math.random() / 2));
    if (pollTimer === null) { pollTimer = setInterval(poll, POLL_MS); poll(); }
  };
  let polling = false;
  const poll = async () => {
    if (document.hidden || polling) return;
    polling = true;
    try {
      const answer = await fetch(root + "/api/live?page=1&since=" + lastEvent, { signal: AbortSignal.timeout(10000) });
      if (!answer.ok) { tell(reason(answer.status, await answer.text())); return; }
      const news = await answer.json();
      const kinds = news.last_event < lastEvent ? ["reset"] : news.kinds;
      if (news.daemon !== lastBeat && lastBeat !== null) kinds.push("daemon");
      lastBeat = news.daemon;
      lastEvent = news.last_event;
      tell("");
      again();
      freshAt = new Date();
      happened(kinds);
      document.dispatchEvent(new CustomEvent("iop4d", { detail: kinds }));
      if (pollTimer !== null) show("polling", stream() ? "Too many live pages are open, or the stream was interrupted: this page updates every " + every + "." : "This page updates every " + every + ".");
    } catch {
      if (pollTimer === null) return;
      tell(SILENT);
      show("offline", "The site does not answer.");
    } finally { polling = false; }
  };

  document.addEventListener("htmx:sse:after:connection", opened);
  document.addEventListener("htmx:sse:error", closed);
  document.addEventListener("htmx:sse:close", ({ detail }) => { if (detail.reason !== "removed") closed(); });
  document.addEventListener("htmx:sse:before:message", ({ detail: { message } }) => {
    heardAt = Date.now();
    if (message.id) lastEvent = Number(message.id) || lastEvent;
    if (stale.hidden) freshAt = new Date();
    document.dispatchEvent(new CustomEvent("iop4d", { detail: [message.event.replace("iop4d-", "")] }));
  });
  // A part that could not be had, or the stream that was refused.
  const failed = ({ detail: { ctx } }) => {
    if (ctx.sourceElement.id === "stream") { closed(); return; }
    const raw = ctx.response && ctx.response.raw, part = ctx.sourceElement;
    const address = part.getAttribute("hx-get"), tries = Number(part.dataset.tries || 0);
    // Large answers are made one at a time: this one has its turn a little later.
    if (raw && raw.status === 503 && raw.headers.get("Retry-After") && address && tries < LATER && /large answers/.test(ctx.text || "")) {
      part.dataset.tries = tries + 1;
      setTimeout(() => htmx.ajax("GET", address, { source: part }), 1000 * (2 + 2 * Math.random()) * (1 + tries));
      return;
    }
    if (part.id) tell(raw ? reason(raw.status, ctx.text) : SILENT, part.id);
  };
  document.addEventListener("htmx:response:error", failed);
  document.addEventListener("htmx:error", (event) => { if (event.detail.ctx) failed(event); });
  document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
    if (ctx && ctx.response && ctx.response.raw && ctx.response.raw.ok) { delete ctx.sourceElement.dataset.tries; tell("", ctx.sourceElement.id); }
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden && !connected) { reopen(); poll(); } });
  // A connection that is dead without an end: the server sends something every 15 s.
  // Here and not in the page: htmx may begin before its extension for streams is there.
  if (stream()) setTimeout(reopen, 1); else closed();
  setInterval(() => {
    if (connected && !document.hidden && Date.now() - heardAt > SILENT_MS) { connected = false; reopen(); closed(); }
    if (connected && !document.hidden && !stale.hidden) again();
    const waits = document.querySelector("[data-waits]");
    if (waits && !document.hidden) fetch(location.href).then(async (answer) => {
      if (answer.ok && !(await answer.text()).includes("data-waits")) location.reload();
    }, () => {});
  }, 10000);
})();
