// Light or dark: what was chosen here before, else what the system prefers. Runs before the page is drawn.
(function () {
  const key = "autotune-theme";
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  function remembered() { try { return localStorage.getItem(key); } catch (_) { return null; } }
  function current() { return remembered() || (system.matches ? "dark" : "light"); }
  function show() {
    document.documentElement.dataset.theme = current();
    document.dispatchEvent(new CustomEvent("autotune-theme", { detail: current() }));
  }
  window.autotuneTheme = {
    current,
    toggle() {
      const next = current() === "dark" ? "light" : "dark";
      try { localStorage.setItem(key, next); } catch (_) { document.documentElement.dataset.theme = next; }
      show();
      return next;
    },
  };
  system.addEventListener("change", show);
  show();
})();
