// The bar of staff who look as a member: counts its time down by the server's clock, and follows what live answers say.
(() => {
  "use strict";
  const bar = document.getElementById("fo-as");

  // Ended elsewhere, or begun in another window: the page shows the other bar.
  document.addEventListener("finops:answered", ({ detail }) => {
    const told = detail.get("Finops-Impersonation") || "";
    if (told !== (bar ? bar.dataset.id : "")) window.location.reload();
  });
  if (!bar) return;

  const left = bar.querySelector("[data-left]");
  const ends = Date.parse(bar.dataset.expires);
  let ahead = 0;
  document.addEventListener("finops:answered", ({ detail }) => {
    const date = Date.parse(detail.get("Date") || "");
    if (date && Math.abs(Date.now() - date) > 5000) ahead = Date.now() - date;
  });

  function count() {
    const seconds = Math.ceil((ends - (Date.now() - ahead)) / 1000);
    bar.classList.toggle("fo-as-short", seconds > 0 && seconds <= 120);
    bar.classList.toggle("fo-as-over", seconds <= 0);
    left.textContent = seconds > 0 ? `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}` : bar.dataset.over;
    if (seconds > 0) return;
    window.clearInterval(timer);
    bar.querySelector("form").remove();
  }
  const timer = window.setInterval(count, 1000);
  count();
})();
