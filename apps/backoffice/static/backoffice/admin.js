// Filters are <details>: one is open at a time, and a click elsewhere or Escape closes it.
(() => {
  "use strict";
  const close = (except) =>
    document.querySelectorAll(".fo-filter[open]").forEach((filter) => {
      if (filter !== except) filter.removeAttribute("open");
    });
  document.addEventListener("click", (event) => close(event.target.closest(".fo-filter")));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close(null);
  });
  // A second click must not run an action twice.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.method !== "post") return;
    event.target.querySelectorAll("button.fo-button").forEach((button) => button.setAttribute("aria-busy", "true"));
  });
})();
