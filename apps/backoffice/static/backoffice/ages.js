// Counts the ages of moments on ("4 s ago"), so that a page need not be fetched for time to pass; and keeps the banner of
// stopped trading current.
(() => {
  "use strict";
  const UNITS = [
    [86400, "d"],
    [3600, "h"],
    [60, "min"],
  ];
  // The same words as apps.core.admin.display.duration.
  function duration(seconds) {
    for (const [size, unit] of UNITS) if (seconds >= 2 * size) return `${Math.floor(seconds / size)} ${unit}`;
    return seconds < 10 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds)} s`;
  }

  const words = document.getElementById("fo-ages");

  // Every live answer says whose trading is stopped; the banner follows.
  async function follow(tag) {
    const banner = document.getElementById("fo-stops");
    if (!banner || tag === null || tag === banner.dataset.tag) return;
    banner.dataset.tag = tag;
    const answer = await fetch(banner.dataset.url, { redirect: "manual", cache: "no-store" });
    if (!answer.ok) return;
    banner.innerHTML = await answer.text();
    document.querySelector(".fo-stopper")?.classList.toggle("fo-bad", banner.querySelector(".fo-stops") !== null);
  }
  document.addEventListener("finops:answered", ({ detail }) => follow(detail.get("Finops-Stops")).catch(() => {}));

  // The server's clock counts: ours may be wrong.
  let ahead = 0;
  document.addEventListener("finops:answered", ({ detail }) => {
    const date = Date.parse(detail.get("Date") || "");
    if (date && Math.abs(Date.now() - date) > 5000) ahead = Date.now() - date;
  });

  function count() {
    if (document.hidden) return;
    const { ago, due, later, now } = words.dataset;
    for (const moment of document.querySelectorAll("time.fo-time")) {
      const seconds = (Date.now() - ahead - Date.parse(moment.dateTime)) / 1000;
      const past = moment.classList.contains("fo-due") ? due : ago;
      const text = Math.abs(seconds) < 1 ? now : (seconds < 0 ? later : past).replace("{time}", duration(Math.abs(seconds)));
      if (moment.textContent !== text) moment.textContent = text;
    }
  }
  if (words) window.setInterval(count, 1000);
})();
