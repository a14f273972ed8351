// Fetches what the page will ask for.
(() => {
  const here = location.pathname + location.search;
  for (const [begin, names] of Object.entries(window.autotuneScripts)) {
    if (!here.startsWith(begin)) continue;
    for (const name of names) {
      const place = { rel: "preload", as: "script", href: `/_dash-component-suites/${name}` };
      document.head.append(Object.assign(document.createElement("link"), place));
    }
  }
})();
