// Small aids over pages that are complete without them: tooltips and arrow keys in charts, copying, relative times,
// shortcuts, and the first page filling itself. Nothing here computes a number.
const root = document.documentElement;
root.classList.add("script");

// Charts: one stop of the Tab key each; arrows, Home and End move between its marks.
const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
document.addEventListener("keydown", (event) => {
  const mark = event.target.closest?.(".chart .mark");
  if (mark && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const marks = [...mark.closest(".chart").querySelectorAll(".mark")];
    const at = marks.indexOf(mark);
    const to = event.key === "Home" ? 0 : event.key === "End" ? marks.length - 1 : at + (step[event.key] ?? NaN);
    const next = marks[Math.min(Math.max(to, 0), marks.length - 1)];
    if (next) {
      event.preventDefault();
      for (const one of marks) one.setAttribute("tabindex", one === next ? "0" : "-1");
      next.focus();
    }
  }
  if (event.key === "Escape") hide();
  const typing = event.target.closest?.("input, select, textarea, [contenteditable]");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    const field = document.querySelector('[data-shortcut="/"]');
    if (field) {
      event.preventDefault();
      field.focus();
    }
  }
});

// Tooltip: says what a screen reader hears.
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
tip.setAttribute("aria-hidden", "true");
document.body.append(tip);
function show(mark) {
  tip.textContent = mark.getAttribute("aria-label");
  tip.hidden = false;
  const at = mark.getBoundingClientRect();
  const box = tip.getBoundingClientRect();
  const left = Math.min(Math.max(at.left + at.width / 2 - box.width / 2, 8), root.clientWidth - box.width - 8);
  const above = at.top - box.height - 8;
  tip.style.left = `${left + scrollX}px`;
  tip.style.top = `${(above > 0 ? above : at.bottom + 8) + scrollY}px`;
}
function hide() {
  tip.hidden = true;
}
for (const [type, act] of [["pointerover", show], ["focusin", show], ["pointerout", hide], ["focusout", hide]]) {
  document.addEventListener(type, (event) => {
    const mark = event.target.closest?.(".chart .mark");
    if (mark) act(mark);
  });
}

// Copy buttons appear where copying is possible.
if (navigator.clipboard) {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
  }
}

// A choice is a submission.
for (const select of document.querySelectorAll("[data-submit]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

// Ages stay true while a page is open.
function span(seconds) {
  const nb = "\u202f";
  if (seconds < 60) return `${Math.max(seconds, 0)}${nb}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}${nb}min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)}${nb}h`;
  return `${Math.floor(seconds / 86400)}${nb}d`;
}
const ages = document.querySelectorAll("time[data-span]");
if (ages.length) {
  setInterval(() => {
    for (const age of ages) age.textContent = span(Math.floor((Date.now() - Date.parse(age.dateTime)) / 1000));
  }, 30000);
}

// The first page fills itself: it asks for itself until it is another page.
if (document.querySelector("[data-reload-when-changed]")) {
  let known;
  setInterval(async () => {
    try {
      const tag = (await fetch(location.href, { cache: "no-cache" })).headers.get("etag");
      if (known && tag !== known) location.reload();
      known ??= tag;
    } catch {
      // The program may be starting again; the next turn asks once more.
    }
  }, 1000);
}

// What is printed has its tables open.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details.data")) details.open = true;
});

// Live tail: new events on top of the list as they come. A lost stream goes on after the last event that was seen,
// because the browser says which that was. Paused by a click, or while somebody has scrolled down to read.
const ROWS_MAX = 500;
const DRAW_MS = 250;
class LiveTail extends HTMLElement {
  connectedCallback() {
    this.rows = document.querySelector("table.events tbody");
    if (!this.rows || !window.EventSource) return;
    this.hidden = false;
    this.waiting = [];
    [this.button, this.state] = [this.querySelector("button"), this.querySelector("[role=status]")];
    this.button.addEventListener("click", () => (this.source ? this.stop("paused") : this.start()));
  }
  start() {
    this.source = new EventSource(this.dataset.stream);
    this.source.onopen = () => this.say("connected");
    this.source.onerror = () => this.say("connection lost, trying again");
    this.source.onmessage = (message) => this.waiting.unshift(JSON.parse(message.data));
    this.timer = setInterval(() => this.draw(), DRAW_MS);
    this.button.setAttribute("aria-pressed", "true");
    this.say("connecting");
  }
  stop(why) {
    this.source.close();
    this.source = undefined;
    clearInterval(this.timer);
    this.button.setAttribute("aria-pressed", "false");
    this.say(why);
  }
  say(words) {
    if (this.state.textContent !== words) this.state.textContent = words;
  }
  draw() {
    if (!this.waiting.length) return;
    // Rows must not move under somebody who reads further down.
    if (this.rows.getBoundingClientRect().top < 0) return this.say(`${this.waiting.length} new, shown at the top of the page`);
    this.say("connected");
    this.rows.prepend(...this.waiting.splice(0, ROWS_MAX).map(row));
    while (this.rows.rows.length > ROWS_MAX) this.rows.lastElementChild.remove();
  }
}
function row(event) {
  const tr = document.createElement("tr");
  tr.className = "fresh";
  const cell = (content, name = "td", kind = "") => {
    const td = document.createElement(name);
    td.className = kind;
    td.append(content ?? "");
    tr.append(td);
  };
  const link = (href, text) => Object.assign(document.createElement("a"), { href, textContent: text });
  const kind = event.type.replace(/^dev\.cdeventsx?\.(devhose-)?/, "").replace(/\.\d+\.\d+\.\d+$/, "");
  const data = event.data?.customData ?? {};
  cell(event.time.replace("T", " ").slice(0, 19), "th");
  cell(link(`/events?q=${encodeURIComponent(`type:${kind}`)}`, kind), "td", "roomy");
  cell([data.repository ?? data.service, event.subject].filter(Boolean).join(" "), "td", "said");
  cell(data.environment, "td", "roomy");
  cell(data.outcome, "td", /failure|error/.test(data.outcome) ? "roomy bad" : "roomy");
  cell("", "td", "roomy");
  cell(link(`/events/${event.id}`, event.id.slice(0, 8)));
  return tr;
}
customElements.define("live-tail", LiveTail);
