"use strict";
// Search over the index's shards and keyboard for the pages. Texts of papers only ever become text nodes.
(() => {
  const STEP = 100;
  const KEPT = 5000;
  const KEY = "paperfleet-results";
  const body = document.body;
  const keys = document.getElementById("keys");

  const pageHref = (row) => `pages/${String(row[0]).padStart(4, "0")}.html#p${row[1]}`;
  const remembered = () => {
    try {
      return JSON.parse(sessionStorage.getItem(KEY)) || [];
    } catch {
      return [];
    }
  };

  function index() {
    const form = document.getElementById("search");
    if (!form) return { move() {} };
    const list = document.getElementById("results");
    const found = document.getElementById("found");
    const more = document.getElementById("more");
    const shards = Number(body.dataset.shards);
    const rows = [];
    let loaded = 0;
    let hits = [];
    let shown = 0;
    form.hidden = false;

    window.paperfleetIndex = (_shard, papers) => {
      for (const row of papers) {
        row.text = `${row[2]}\n${row[3]}\n${row[4]}\n${row[5]}`.toLowerCase();
        rows.push(row);
      }
    };

    function load() {
      if (loaded === shards) return;
      const script = document.createElement("script");
      script.src = `search/${String(loaded).padStart(4, "0")}.js`;
      script.onload = () => {
        loaded += 1;
        script.remove();
        search();
        load();
      };
      document.head.append(script);
    }

    const wanted = () => Object.fromEntries(new FormData(form));

    function matches(row, want, words) {
      return (
        words.every((word) => row.text.includes(word)) &&
        (!want.check || row[10].includes(want.check)) &&
        (!want.field || row[8] === want.field) &&
        (!want.language || row[7] === want.language) &&
        (!want.status || row[6] === want.status) &&
        (!want.cost || row[9] >= Number(want.cost))
      );
    }

    function search() {
      const want = wanted();
      const active = Object.values(want).some((value) => value.trim());
      const words = (want.q || "").toLowerCase().split(/\s+/).filter(Boolean);
      hits = active ? rows.filter((row) => matches(row, want, words)) : [];
      list.replaceChildren();
      shown = 0;
      show();
      const part = loaded < shards ? ` in the first ${rows.length.toLocaleString("en")} papers, searching on` : "";
      found.textContent = active ? `${hits.length.toLocaleString("en")} found${part}` : "";
      try {
        sessionStorage.setItem(KEY, JSON.stringify(hits.slice(0, KEPT).map(pageHref)));
      } catch {
        // no storage: results cannot be walked through with J and K
      }
    }

    function show() {
      for (const row of hits.slice(shown, shown + STEP)) list.append(item(row));
      shown = Math.min(hits.length, shown + STEP);
      more.hidden = shown >= hits.length;
    }

    function item(row) {
      const entry = document.createElement("li");
      const link = document.createElement("a");
      const note = document.createElement("small");
      link.href = pageHref(row);
      link.textContent = row[3] || row[4] || row[2];
      link.dir = "auto";
      const cost = row[9] ? `$${row[9].toFixed(6)}` : "";
      note.textContent = [row[4], row[2], row[6], row[7], row[8], cost, row[10].join(", ")].filter(Boolean).join(" · ");
      entry.append(link, note);
      return entry;
    }

    function changed() {
      const filled = Object.entries(wanted()).filter(([, value]) => value.trim());
      history.replaceState(null, "", `#${new URLSearchParams(filled)}`);
      if (!loaded) load();
      search();
    }

    let timer = 0;
    form.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(changed, 120);
    });
    form.addEventListener("reset", () => setTimeout(changed));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      list.querySelector("a")?.focus();
    });
    more.addEventListener("click", show);
    const before = new URLSearchParams(location.hash.slice(1));
    for (const [name, value] of before) {
      const field = form.elements.namedItem(name);
      if (field) field.value = value;
    }
    if (before.size) changed();
    if (before.has("q")) form.elements.namedItem("q").focus();

    return {
      move(step) {
        const links = [...list.querySelectorAll("a")];
        const at = links.indexOf(document.activeElement);
        links[Math.max(0, Math.min(links.length - 1, at + step))]?.focus();
      },
      search: () => form.elements.namedItem("q").focus(),
    };
  }

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

  const view = body.dataset.page === "index" ? index() : papers();
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
