// A system that turns dark in the evening takes the page with it. The cookie is for pages that the server makes ahead.
(() => {
  const keep = (theme) => { document.cookie = `autotune-theme=${theme}; path=/; SameSite=Strict`; };
  keep(window.autotuneTheme.current());
  document.addEventListener("autotune-theme", (event) => {
    keep(event.detail);
    if (window.dash_clientside && window.dash_clientside.set_props) {
      window.dash_clientside.set_props("theme", { data: event.detail });
    }
  });
})();
