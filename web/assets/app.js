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
      mark.setAttribute("tabindex", "-1");
      next.setAttribute("tabindex", "0");
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
