// Keeps a part of a page current: asks for it every two seconds while the page is visible, and gets a 304 while nothing
// has changed. What has changed is written into the elements that are there, so that focus, selected text, opened
// details, ticked boxes and the scroll position stay. With data-live-until-still it ends when the part has no
// [data-moving] any more, that is, when the work is done.
(() => {
  "use strict";
  const part = document.querySelector("[data-live]");
  if (!part) return;
  const PERIOD = 2000;
  const mark = () => document.querySelector("[data-live-mark]");
  let tag = "";
  let failures = 0;
  let done = false;
  let timer = 0;
  let asking = false;

  // Elements that are the same thing from one time to the next say so by a key.
  const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.dataset.key || node.id : "");
  const isSame = (a, b) => a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

  function copyAttributes(from, to) {
    for (const { name, value } of [...to.attributes]) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
    for (const { name } of [...from.attributes]) {
      const isThePersons = name === "open" && from.nodeName === "DETAILS";
      if (!to.hasAttribute(name) && !isThePersons) from.removeAttribute(name);
    }
  }

  function become(from, to) {
    if (from.isEqualNode(to)) return false;
    if (from.nodeType !== Node.ELEMENT_NODE) {
      from.data = to.data;
      return true;
    }
    if (from.nodeName === "DETAILS") to.open = from.open;
    copyAttributes(from, to);
    becomeChildren(from, to);
    return true;
  }

  function becomeChildren(from, to, marksNews = false) {
    const wanted = [...to.childNodes];
    const keys = new Set(wanted.map(keyOf).filter(Boolean));
    for (const child of [...from.childNodes]) if (keyOf(child) && !keys.has(keyOf(child))) child.remove();
    const kept = new Map([...from.childNodes].filter(keyOf).map((child) => [keyOf(child), child]));
    let at = from.firstChild;
    for (const child of wanted) {
      const key = keyOf(child);
      const old = key ? kept.get(key) : at;
      if (old && !(key ? old.nodeName !== child.nodeName : !isSame(old, child) || old.nodeType !== child.nodeType)) {
        if (old === at) at = at.nextSibling;
        else from.insertBefore(old, at);
        if (become(old, child) && marksNews && key) flash(old, "fo-changed");
      } else {
        const added = document.importNode(child, true);
        from.insertBefore(added, at);
        if (marksNews && key) flash(added, "fo-new");
      }
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  function flash(element, name) {
    element.classList.remove("fo-new", "fo-changed");
    // A frame later, so that the animation starts anew; asking for the layout here would cost one per row.
    requestAnimationFrame(() => element.classList.add(name));
    element.addEventListener("animationend", () => element.classList.remove(name), { once: true });
  }

  // While rows are chosen none comes or goes: an action must work on what one sees. They are still kept current.
  function becomeInPlace(table, fresh) {
    const rows = new Map([...fresh.querySelectorAll("tr[data-key]")].map((row) => [row.dataset.key, row]));
    for (const row of table.querySelectorAll("tr[data-key]")) {
      const news = rows.get(row.dataset.key);
      if (news && become(row, news)) flash(row, "fo-changed");
    }
  }

  // What one reads stays where it is when rows come above it.
  function holdingStill(change) {
    const rows = window.scrollY > 0 ? [...part.querySelectorAll("tr[data-key]")] : [];
    const read = rows.find((row) => row.getBoundingClientRect().top >= 0);
    const before = read?.getBoundingClientRect().top;
    change();
    if (read?.isConnected) window.scrollBy(0, read.getBoundingClientRect().top - before);
  }

  function show(text) {
    const fresh = document.createElement("template");
    fresh.innerHTML = text;
    const table = part.querySelector("#result_list");
    const freshTable = fresh.content.querySelector("#result_list");
    if (part.querySelector("tbody input.action-select:checked") && table) {
      if (freshTable) becomeInPlace(table, freshTable);
      return false;
    }
    if (table && freshTable) {
      holdingStill(() => becomeChildren(table.tBodies[0], freshTable.tBodies[0], true));
      freshTable.replaceWith(table.cloneNode(true)); // it is up to date: what is left is the pager
      const pager = part.querySelector("#pager");
      const freshPager = fresh.content.querySelector("#pager");
      if (pager && freshPager) become(pager, freshPager);
      else if (pager) pager.remove();
      else if (freshPager) part.append(freshPager);
    } else {
      becomeChildren(part, fresh.content);
    }
    return true;
  }

  function tell() {
    const live = mark();
    if (!live) return;
    const isLost = failures > 1;
    const isHeld = part.querySelector("tbody input.action-select:checked");
    live.classList.toggle("fo-lost", isLost);
    live.lastElementChild.textContent = isLost ? live.dataset.lost : isHeld ? live.dataset.held : live.dataset.word;
  }

  async function refresh() {
    const answer = await fetch(part.dataset.live, {
      redirect: "manual",
      cache: "no-store",
      headers: tag ? { "If-None-Match": tag } : {},
    });
    if (answer.type === "opaqueredirect") {
      window.location.reload(); // The session has ended: the reload leads to the sign-in page.
      return;
    }
    if (answer.status !== 304) {
      if (!answer.ok) throw new Error(String(answer.status));
      const isWhole = show(await answer.text());
      tag = isWhole ? answer.headers.get("ETag") || "" : "";
    }
    document.dispatchEvent(new CustomEvent("finops:answered", { detail: answer.headers }));
    done = "liveUntilStill" in part.dataset && !part.querySelector("[data-moving]");
  }

  async function beat() {
    if (asking || done) return;
    asking = true;
    if (!document.hidden) {
      try {
        await refresh();
        failures = 0;
      } catch {
        failures += 1;
      }
      tell();
    }
    asking = false;
    window.clearTimeout(timer);
    if (!done && !document.hidden) timer = window.setTimeout(beat, Math.min(PERIOD * 2 ** Math.min(failures, 4), 30000));
  }

  // A hidden page asks nothing; one that is seen again asks at once.
  document.addEventListener("visibilitychange", () => document.hidden || beat());
  timer = window.setTimeout(beat, PERIOD);
})();
