// Fetches the page each second and replaces the parts that changed. What a reader has open, selected or focused stays.
(() => {
  "use strict";
  const texts = document.body.dataset;
  const button = document.getElementById("pause");
  const stale = document.getElementById("stale");
  const pause = button.textContent;
  const written = new Map();
  let paused = false;
  let seen = new Date();

  const live = () => document.querySelectorAll("[data-live]");
  live().forEach((part) => written.set(part.id, part.innerHTML));

  const tell = (text) => {
    if (stale.textContent !== text) stale.textContent = text;
    stale.hidden = text === "";
  };

  // What is newest is at the right: a narrow window begins there.
  const newest = () => document.querySelectorAll("#lines .wide[id]").forEach((wide) => {
    wide.scrollLeft = wide.scrollWidth;
  });

  const replace = (part, html) => {
    const open = [...part.querySelectorAll("details[open][id]")].map((details) => details.id);
    const scrolled = [...part.querySelectorAll(".wide[id]")].map((wide) => [wide.id, wide.scrollLeft]);
    const focus = part.contains(document.activeElement) ? document.activeElement : null;
    const holder = focus && focus.closest("[id]");
    const path = focus && [focus.tagName.toLowerCase(), focus.getAttribute("href")];
    part.innerHTML = html;
    open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
    scrolled.forEach(([id, left]) => {
      const wide = document.getElementById(id);
      if (wide) wide.scrollLeft = left;
    });
    if (!focus) return;
    const again = document.getElementById(holder.id);
    const alike = again && [...again.querySelectorAll(path[0])].find((element) => element.getAttribute("href") === path[1]);
    alike?.focus({ preventScroll: true });
  };

  const take = (html) => {
    const next = new DOMParser().parseFromString(html, "text/html");
    if (document.title !== next.title) document.title = next.title;
    const selection = getSelection();
    live().forEach((part) => {
      const now = next.getElementById(part.id);
      if (!now || now.innerHTML === written.get(part.id)) return;
      if (!selection.isCollapsed && part.contains(selection.anchorNode)) return;
      written.set(part.id, now.innerHTML);
      replace(part, now.innerHTML);
    });
    // A part that came or went, such as the time lines of the first site, needs the page anew.
    if (next.querySelectorAll("[data-live]").length !== live().length) location.reload();
  };

  const update = async () => {
    if (!paused && !document.hidden) {
      try {
        const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(5000) });
        if (!answer.ok) throw new Error(answer.statusText);
        take(await answer.text());
        seen = new Date();
        tell("");
      } catch {
        tell(texts.lost.replace("{}", seen.toLocaleTimeString()));
      }
    }
    setTimeout(update, 1000);
  };

  button.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? texts.goOn : pause;
    button.setAttribute("aria-pressed", String(paused));
    tell(paused ? texts.paused : "");
  });
  newest();
  addEventListener("resize", newest);
  setTimeout(update, 1000);
})();
