"use strict";
// The keyboard of every page.
(() => {
  const KEY = "paperfleet-results";
  const keys = document.getElementById("keys");

  const remembered = () => {
    try {
      return JSON.parse(sessionStorage.getItem(KEY)) || [];
    } catch {
      return [];
    }
  };

  function papers() {
    const articles = [...document.querySelectorAll("article")];
    const place = () => {
      const hash = location.hash.slice(1);
      if (hash === "first") return 0;
      if (hash === "last") return articles.length - 1;
      return articles.findIndex((article) => article.id === hash);
    };
    let at = place();
    const go = (to) => {
      at = to;
      articles[at].focus({ preventScroll: true });
      articles[at].scrollIntoView({ block: "start" });
      history.replaceState(null, "", `#${articles[at].id}`);
    };
    if (at >= 0) go(at);
    window.addEventListener("hashchange", () => place() >= 0 && go(place()));
    const turn = (relation, hash) => {
      const link = document.querySelector(`nav a[rel=${relation}]`);
      if (link) location.href = link.href + hash;
    };
    return {
      move(step) {
        const to = at + step;
        if (to >= 0 && to < articles.length) go(to);
        else if (to >= articles.length) turn("next", "#first");
        else if (at >= 0) turn("prev", "#last");
        else go(0);
      },
      page: (step) => turn(step > 0 ? "next" : "prev", ""),
      result(step) {
        const here = `pages/${location.pathname.split("/").pop()}#${articles[Math.max(0, at)]?.id}`;
        const results = remembered();
        const found = results.indexOf(here);
        const to = results[found < 0 ? 0 : found + step];
        if (to) location.href = `../${to}`;
      },
      search: () => {
        location.href = "../index.html#q=";
      },
    };
  }

  const view = window.paperfleetView ?? papers(); // the front page's is made by search.js
  const actions = {
    j: () => view.move(1),
    k: () => view.move(-1),
    J: () => view.result?.(1),
    K: () => view.result?.(-1),
    n: () => view.page?.(1),
    p: () => view.page?.(-1),
    "/": () => view.search?.(),
    "?": () => (keys.open ? keys.close() : keys.showModal()),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const action = actions[event.key];
    if (action && (!keys.open || event.key === "?")) {
      event.preventDefault();
      action();
    }
  });
})();
