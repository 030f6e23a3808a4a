// Keeps a page up to date: listens to the stream, fetches the parts that changed, and puts them in
// place without touching what stays the same, so that scroll, focus and open details are kept.
"use strict";
(() => {
  const POLL_MS = 12000, DEBOUNCE_MS = 300, RETRY_STREAM_MS = 30000, HIDDEN_MS = 5000, SLOW_MS = 10000;
  const root = document.body.dataset.root;
  const indicator = document.getElementById("indicator");
  if (!indicator) return;
  let lastEvent = Number(document.body.dataset.lastEvent || 0);
  const SILENT = "the site does not answer";
  let freshAt = new Date();
  let lastBeat = null, lastDaemon = null, source = null, streamTimer = null, pollTimer = null, hiddenTimer = null;
  const waiting = new Set();
  let debounce = null, fetching = false;

  const show = (state, title) => {
    indicator.className = "indicator " + state;
    indicator.textContent = state;
    indicator.title = title;
  };

  const span = (seconds) => {
    seconds = Math.max(0, seconds);
    if (seconds < 60) return Math.floor(seconds) + " s";
    if (seconds < 3600) return Math.floor(seconds / 60) + " min";
    if (seconds < 172800) return Math.floor(seconds / 3600) + " h";
    return Math.floor(seconds / 86400) + " d";
  };
  const tick = (root) => {
    const now = Date.now() / 1000;
    for (const time of root.querySelectorAll("time[data-at]")) {
      const text = span(now - Number(time.dataset.at)) + " ago";
      if (time.textContent !== text) time.textContent = text;
    }
  };
  setInterval(() => tick(document), 1000);

  // What can be scrolled sideways can be reached with the keyboard.
  const reach = () => {
    for (const box of document.querySelectorAll(".scroll")) {
      if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0; else box.removeAttribute("tabindex");
    }
  };
  addEventListener("resize", reach);
  reach();

  // Change `old` into `fresh`, keeping every node that is the same.
  const key = (node) => node.nodeType === 1 ? node.dataset.key || node.id || "" : "";
  const same = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && key(a) === key(b);
  const morph = (old, fresh) => {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeType !== 1) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    for (const { name } of [...old.attributes]) {
      // Whether details are open is the reader's choice; "fresh" runs out by itself.
      if (!fresh.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS") && name !== "class") old.removeAttribute(name);
    }
    for (const { name, value } of [...fresh.attributes]) {
      if (old.getAttribute(name) !== value && !(name === "open" && old.nodeName === "DETAILS")) old.setAttribute(name, value);
    }
    const keyed = new Map();
    for (const child of old.childNodes) if (key(child)) keyed.set(key(child), child);
    let place = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const known = key(child) ? keyed.get(key(child)) : null;
      if (known && same(known, child)) {
        if (known === place) place = place.nextSibling; else old.insertBefore(known, place);
        morph(known, child);
      } else if (place && same(place, child) && !key(child)) {
        const next = place.nextSibling;
        morph(place, child);
        place = next;
      } else {
        old.insertBefore(child, place);
        if (child.nodeType === 1 && child.dataset.key) child.classList.add("fresh");
      }
    }
    while (place) { const next = place.nextSibling; place.remove(); place = next; }
  };

  const refresh = (kinds) => {
    for (const part of document.querySelectorAll("[data-live]")) {
      const on = part.dataset.on.split(" ");
      if (kinds.includes("*") || on.includes("*") || on.some((kind) => kinds.includes(kind))) waiting.add(part.dataset.live);
    }
    if (waiting.size && debounce === null) debounce = setTimeout(fetchParts, DEBOUNCE_MS);
  };

  const fetchParts = async () => {
    debounce = null;
    if (fetching) { debounce = setTimeout(fetchParts, DEBOUNCE_MS); return; }
    fetching = true;
    const addresses = [...waiting];
    waiting.clear();
    const wrong = await Promise.all(addresses.map((address) =>
      fetchPart(address).catch(() => SILENT)));
    fetching = false;
    tell(wrong.find(Boolean) || "");
  };
  // Says that the page shows what was, from the first part that could not be had until all can be.
  const tell = (wrong) => {
    const line = document.getElementById("stale");
    if (wrong && line.hidden) {
      if (wrong !== SILENT) show("stale", "The page could not be updated.");
      line.textContent = "This page shows the state of " + freshAt.toISOString().slice(0, 19).replace("T", " ") + " UTC: " + wrong + ". It tries again automatically.";
    }
    if (!wrong) freshAt = new Date();
    if (!wrong && !line.hidden) show(pollTimer === null ? "live" : "polling", "The page is up to date again.");
    line.hidden = !wrong;
  };
  const reason = async (answer) => {
    try { return (await answer.clone().json()).error.replace(/\.$/, ""); } catch { return ""; }
  };
  const fetchPart = async (address) => {
    const reload = address === "reload";
    const answer = await fetch(reload ? location.href : address, { credentials: "same-origin" });
    if (reload && !answer.ok) return "";
    if (!answer.ok) return (await reason(answer)) || "the site answers with the error " + answer.status;
    if (answer.redirected) return "you are no longer signed in";
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (reload && !page.getElementById("waiting")) { location.reload(); return ""; }
    tick(page);
    for (const old of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(old.id);
      if (old.dataset.live === address && fresh) morph(old, fresh);
    }
    reach();
    return "";
  };

  const happened = (kinds) => {
    refresh(kinds);
    document.dispatchEvent(new CustomEvent("iop4d", { detail: kinds }));
  };

  const open = () => {
    clearTimeout(streamTimer);
    if (source || document.hidden) return;
    source = new EventSource(root + "/events?since=" + lastEvent);
    source.onopen = () => { stopPolling(); if (document.getElementById("stale").hidden) show("live", "New frames and results appear automatically."); };
    source.onmessage = (message) => {
      lastEvent = Number(message.lastEventId) || lastEvent;
      happened([JSON.parse(message.data).kind]);
    };
    // Times are kept by the page itself: parts are fetched again when the daemon's state is another,
    // and by the clock below.
    source.addEventListener("beat", (message) => {
      const daemon = JSON.parse(message.data).daemon;
      if (daemon !== lastDaemon) happened(["beat"]);
      lastDaemon = daemon;
    });
    source.addEventListener("reset", () => happened(["*"]));
    source.onerror = () => {
      if (source.readyState !== EventSource.CLOSED) { startPolling(); return; }
      close();
      startPolling();
      streamTimer = setTimeout(open, RETRY_STREAM_MS * (1 + Math.random() / 2));
    };
  };
  const close = () => { if (source) source.close(); source = null; };

  const startPolling = () => { if (pollTimer === null) { pollTimer = setInterval(poll, POLL_MS); poll(); } };
  const stopPolling = () => { clearInterval(pollTimer); pollTimer = null; };
  const poll = async () => {
    try {
      const answer = await fetch(root + "/api/live?since=" + lastEvent);
      if (answer.ok) {
        const news = await answer.json();
        const kinds = news.last_event < lastEvent ? ["*"] : news.kinds;
        if (news.beat_at !== lastBeat) kinds.push("beat");
        lastBeat = news.beat_at;
        lastEvent = news.last_event;
        happened(kinds);
      } else happened(["beat"]);
      if (pollTimer !== null && document.getElementById("stale").hidden) show("polling", "Too many live pages are open, or the stream was interrupted: this page updates every 12 s.");
    } catch {
      if (pollTimer !== null) show("offline", "The site does not answer.");
    }
  };

  // A hidden page gives its stream back: there are few, and a browser has six connections.
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiddenTimer);
    if (document.hidden) hiddenTimer = setTimeout(() => { close(); stopPolling(); clearTimeout(streamTimer); }, HIDDEN_MS);
    else if (!source) { happened(["*"]); open(); }
  });
  // Without heartbeats no event tells that the daemon is gone: the banner is fetched regularly.
  setInterval(() => { if (!document.hidden) refresh(document.getElementById("stale").hidden ? ["beat"] : ["*"]); }, SLOW_MS);
  tick(document);
  open();
})();
