// Draws each figure when it comes into view, and again in the other colours when the theme changes.
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const settings = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
  const plots = [...document.querySelectorAll(".plot")];
  const theme = () => data.templates[window.autotuneTheme.current()];
  const wanted = new Set(); // plots in view
  const drawn = new Map(); // plots with the promise of their last drawing; one follows the other
  function then(plot, step) {
    drawn.set(plot, (drawn.get(plot) || Promise.resolve()).then(step));
  }
  function draw(plot) {
    wanted.add(plot);
    if (drawn.has(plot)) return;
    const figure = data.figures[Number(plot.id.slice("plot-".length))];
    then(plot, () => Plotly.newPlot(plot, figure.data, { ...figure.layout, template: theme() }, settings));
  }
  // A browser keeps 16 WebGL contexts and parallel coordinates take three each, so those out of view give theirs back.
  function release(plot) {
    wanted.delete(plot);
    if (!drawn.has(plot) || !plot.classList.contains("wide-plot")) return;
    then(plot, () => {
      if (wanted.has(plot)) return;
      Plotly.purge(plot);
      drawn.delete(plot);
    });
  }
  const watch = new IntersectionObserver(
    (entries) => entries.forEach((entry) => (entry.isIntersecting ? draw : release)(entry.target)),
    { rootMargin: "600px" },
  );
  plots.forEach((plot) => watch.observe(plot));
  window.addEventListener("beforeprint", () => plots.forEach(draw));
  document.getElementById("theme").addEventListener("click", () => window.autotuneTheme.toggle());
  document.addEventListener("autotune-theme", () =>
    [...drawn.keys()].forEach((plot) =>
      then(plot, () => (drawn.has(plot) ? Plotly.relayout(plot, { template: theme() }) : null)),
    ),
  );
})();
