// Parts of a page that take long are asked for when they come near what is seen, as if their buttons had been pressed.
(() => {
  const near = new IntersectionObserver(
    (entries) =>
      entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => {
        near.unobserve(target);
        target.click();
      }),
    { rootMargin: "100px" },
  );
  const found = () =>
    document.querySelectorAll("button.ask:not([data-watched])").forEach((button) => {
      button.dataset.watched = "";
      near.observe(button);
    });
  new MutationObserver(found).observe(document.documentElement, { childList: true, subtree: true });
})();
