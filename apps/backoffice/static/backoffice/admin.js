// Menus (filters, the user's own) are <details>: one is open at a time; a click or the focus elsewhere, or Escape, closes it.
(() => {
  "use strict";
  const MENUS = ".fo-filter, .fo-user";
  const close = (except) =>
    document.querySelectorAll(MENUS).forEach((menu) => {
      if (menu !== except) menu.removeAttribute("open");
    });
  for (const event of ["click", "focusin"]) document.addEventListener(event, ({ target }) => close(target.closest(MENUS)));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    document.activeElement?.closest(MENUS)?.querySelector("summary").focus();
    close(null);
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
