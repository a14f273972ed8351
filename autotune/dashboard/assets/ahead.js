// A browser takes most of a second to read Plotly's program: it does so while the server makes the first page.
window.autotuneAhead = (() => {
  const { pages, names } = window.autotuneScripts;
  const places = pages.includes(location.pathname) ? names.map((name) => `/_dash-component-suites/${name}`) : [];
  const add = (parent, kind, properties) => parent.append(Object.assign(document.createElement(kind), properties));
  places.forEach((href) => add(document.head, "link", { rel: "preload", as: "script", href }));
  return () => places.splice(0).forEach((src) => add(document.body, "script", { src }));
})();
