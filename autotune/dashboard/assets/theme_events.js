// A system that turns dark in the evening takes the page with it.
document.addEventListener("autotune-theme", (event) => {
  if (window.dash_clientside && window.dash_clientside.set_props) {
    window.dash_clientside.set_props("theme", { data: event.detail });
  }
});
