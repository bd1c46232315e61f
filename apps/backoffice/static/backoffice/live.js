// Keeps the dashboard current: fetches its content every two seconds while the page is visible.
(() => {
  "use strict";
  const board = document.getElementById("board");
  const PERIOD = 2000;
  let failures = 0;

  async function refresh() {
    if (document.hidden) return;
    try {
      const answer = await fetch(board.dataset.live, { headers: { "X-Requested-With": "fetch" }, redirect: "manual" });
      if (answer.type === "opaqueredirect") {
        window.location.reload(); // The session has ended: the reload leads to the sign-in page.
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      // Do not pull a link from under the pointer or the keyboard.
      if (!board.querySelector("a:focus")) board.innerHTML = await answer.text();
      failures = 0;
    } catch {
      failures += 1;
      const live = board.querySelector(".fo-live");
      if (failures > 1 && live) {
        live.classList.add("fo-lost");
        live.lastChild.textContent = board.dataset.lost;
      }
    }
  }

  function next() {
    window.setTimeout(async () => {
      await refresh();
      next();
    }, Math.min(PERIOD * 2 ** Math.min(failures, 4), 30000));
  }

  document.addEventListener("visibilitychange", refresh);
  next();
})();
