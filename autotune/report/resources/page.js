// Draws each figure when it comes into view, and again in the other colours when the theme changes.
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const settings = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
  const plots = [...document.querySelectorAll(".plot")];
  function draw(plot) {
    if (plot.dataset.drawn) return;
    plot.dataset.drawn = "yes";
    const figure = data.figures[Number(plot.id.slice("plot-".length))];
    figure.layout.template = data.templates[window.autotuneTheme.current()];
    Plotly.newPlot(plot, figure.data, figure.layout, settings);
  }
  // A browser keeps 16 WebGL contexts and parallel coordinates take three each, so those out of view give theirs back.
  function release(plot) {
    if (!plot.dataset.drawn || plot.data[0].type !== "parcoords") return;
    Plotly.purge(plot);
    delete plot.dataset.drawn;
  }
  const watch = new IntersectionObserver(
    (entries) => entries.forEach((entry) => (entry.isIntersecting ? draw : release)(entry.target)),
    { rootMargin: "600px" },
  );
  plots.forEach((plot) => watch.observe(plot));
  window.addEventListener("beforeprint", () => plots.forEach(draw));
  document.getElementById("theme").addEventListener("click", () => window.autotuneTheme.toggle());
  document.addEventListener("autotune-theme", (event) => {
    plots
      .filter((plot) => plot.dataset.drawn)
      .forEach((plot) => Plotly.relayout(plot, { template: data.templates[event.detail] }));
  });
})();
