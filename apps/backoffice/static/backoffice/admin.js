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
  // How many rows are chosen.
  document.addEventListener("change", (event) => {
    // Rows that have come since the page was loaded are ticked along.
    if (event.target.id === "action-toggle")
      document.querySelectorAll("#result_list tbody input.action-select").forEach((box) => (box.checked = event.target.checked));
    const list = event.target.closest("#changelist-form");
    const chosen = list && list.querySelector("[data-chosen]");
    // The box in the head ticks the others in a listener of its own, which may run after this one.
    if (chosen) window.setTimeout(() => (chosen.textContent = list.querySelectorAll("tbody input.action-select:checked").length));
  });
  // A second click must not run an action twice.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.method !== "post") return;
    event.target.querySelectorAll("button.fo-button").forEach((button) => button.setAttribute("aria-busy", "true"));
  });
})();
