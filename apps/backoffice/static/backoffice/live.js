// Keeps a part of a page current: fetches it every two seconds while the page is visible. With
// data-live-until-still it ends when the part has no [data-moving] any more, that is, when the work is done.
(() => {
  "use strict";
  const part = document.querySelector("[data-live]");
  const PERIOD = 2000;
  let failures = 0;
  let done = false;

  function lost() {
    const live = part.querySelector(".fo-live");
    if (failures < 2 || !live) return;
    live.classList.add("fo-lost");
    live.lastChild.textContent = part.dataset.lost;
  }

  async function refresh() {
    // Never pull a button or a link from under the keyboard.
    if (document.hidden || part.querySelector(":is(a, button, input):focus")) return;
    try {
      const answer = await fetch(part.dataset.live, { redirect: "manual" });
      if (answer.type === "opaqueredirect") {
        window.location.reload(); // The session has ended: the reload leads to the sign-in page.
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      part.innerHTML = await answer.text();
      done = "liveUntilStill" in part.dataset && !part.querySelector("[data-moving]");
      failures = 0;
    } catch {
      failures += 1;
      lost();
    }
  }

  function next() {
    window.setTimeout(async () => {
      await refresh();
      if (!done) next();
    }, Math.min(PERIOD * 2 ** Math.min(failures, 4), 30000));
  }

  next();
})();
