"use strict";
// The search of the front page: over rows and words that are loaded as they are needed (see
// search_index.py, which cuts texts into the same words). Texts of papers only ever become text nodes.
(() => {
  const STEP = 100;
  const KEPT = 5000;
  const KEY = "paperfleet-results";
  const CJK =
    "\\u3005-\\u3007\\u3040-\\u30ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\uac00-\\ud7af\\uf900-\\ufaff\\u{20000}-\\u{3ffff}";
  const RUN = new RegExp(`[${CJK}]+|(?:(?![${CJK}])[\\p{L}\\p{N}])+`, "gu");
  const IS_CJK = new RegExp(`^[${CJK}]`, "u");
  const [PAGE, NUMBER, ID, TITLE, SOURCE, STATUS, LANGUAGE, FIELD, COST, CHECKS, DRAWN, FACETS] = Array(12).keys();

  const form = document.getElementById("search");
  if (!form) {
    window.paperfleetView = { move() {} };
    return;
  }
  const list = document.getElementById("results");
  const found = document.getElementById("found");
  const more = document.getElementById("more");
  const files = Number(document.body.dataset.rows);
  const shards = new Set(document.body.dataset.words.split(" "));
  const rows = [];
  const words = new Map(); // shard → word → packed papers; null while it is loaded
  const known = new Map(); // word of a query → Set of papers
  let asked = false;
  let loaded = 0;
  let hits = [];
  let shown = 0;
  for (const element of document.querySelectorAll(".needs-script")) element.hidden = false;

  const pageHref = (row) => `pages/${String(row[PAGE]).padStart(4, "0")}.html#p${row[NUMBER]}`;
  const plain = (text) => text.normalize("NFKC").toLowerCase();

  function script(name, then) {
    const element = document.createElement("script");
    element.src = `search/${name}.js`;
    element.onload = () => {
      element.remove();
      then();
    };
    element.onerror = () => {
      found.textContent = "A file of the search is missing: copy the site as a whole.";
    };
    document.head.append(element);
  }

  window.paperfleetRows = (_file, papers) => {
    for (const row of papers) {
      row.text = plain(`${row[ID]}\n${row[TITLE]}\n${row[SOURCE]}`);
      rows.push(row);
    }
  };

  window.paperfleetWords = (shard, packed) => words.set(shard, packed);

  function loadRows() {
    if (loaded === files) return;
    script(String(loaded).padStart(4, "0"), () => {
      loaded += 1;
      search();
      loadRows();
    });
  }

  function shardOf(word) {
    let digest = 2166136261;
    for (const char of [...word].slice(0, 3)) digest = Math.imul(digest ^ char.codePointAt(0), 16777619) >>> 0;
    return (digest % 256).toString(16).padStart(2, "0");
  }

  // Set of the papers that have the word (or one that begins with it, from three letters on);
  // null if that is not known yet.
  function papersOf(word) {
    if (known.has(word)) return known.get(word);
    const shard = shardOf(word);
    if (shards.has(shard) && !words.has(shard)) {
      words.set(shard, null);
      script(`w${shard}`, search);
    }
    const packed = shards.has(shard) ? words.get(shard) : {};
    if (packed === null) return null;
    const whole = IS_CJK.test(word) || word.length < 3;
    const papers = new Set();
    for (const each of Object.keys(packed)) {
      if (whole ? each !== word : !each.startsWith(word)) continue;
      let at = 0;
      for (const step of packed[each].split(",")) papers.add((at += parseInt(step, 36)));
    }
    known.set(word, papers);
    return papers;
  }

  function wordsOf(term) {
    return (term.match(RUN) ?? []).flatMap((run) => {
      const chars = [...run];
      if (!IS_CJK.test(run)) return [run.slice(0, 40)];
      return chars.length === 1 ? chars : chars.slice(1).map((char, at) => chars[at] + char);
    });
  }

  const wanted = () => Object.fromEntries(new FormData(form));

  const filtered = (row, want) =>
    (!want.check || row[CHECKS].includes(want.check)) &&
    (!want.field || row[FIELD] === want.field) &&
    (!want.language || row[LANGUAGE] === want.language) &&
    (!want.status || row[STATUS] === want.status) &&
    (!want.cost || row[COST] >= Number(want.cost)) &&
    [0, 1, 2].every((at) => !want[`facet${at}`] || row[FACETS]?.[at] === want[`facet${at}`]);

  // Papers with all terms in id or titles come first, then those that have them anywhere.
  function matching(want, terms) {
    const first = [];
    const then = [];
    const sets = terms.map((term) => wordsOf(term).map(papersOf));
    for (const row of rows) {
      if (!filtered(row, want)) continue;
      if (terms.every((term) => row.text.includes(term))) first.push(row);
      else if (terms.every((term, at) => row.text.includes(term) || isIn(row, sets[at]))) then.push(row);
    }
    return [[...first, ...then], sets.flat().includes(null)];
  }

  const isIn = (row, sets) => sets.length > 0 && sets.every((papers) => papers?.has(row[NUMBER]));

  function search() {
    const want = wanted();
    const active = Object.values(want).some((value) => value.trim());
    const terms = plain(want.q || "").split(/\s+/).filter(Boolean);
    const [papers, pending] = active ? matching(want, terms) : [[], false];
    hits = papers;
    list.replaceChildren();
    shown = 0;
    show();
    const part = loaded < files ? ` in the first ${rows.length.toLocaleString("en")} papers` : "";
    const on = part || pending ? `${part}, searching on` : "";
    found.textContent = active ? `${hits.length.toLocaleString("en")} found${on}` : "";
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
    const source = document.createElement("span");
    const note = document.createElement("small");
    link.href = pageHref(row);
    link.textContent = row[TITLE] || row[SOURCE] || row[ID];
    link.dir = source.dir = "auto";
    source.className = "source";
    source.textContent = row[TITLE] && row[SOURCE] !== row[TITLE] ? row[SOURCE] : "";
    if (row[DRAWN]) {
      // Written by the site itself: texts escaped, formulas of known elements alone.
      if (link.textContent !== row[ID]) link.innerHTML = row[DRAWN][row[TITLE] ? 0 : 1];
      if (source.textContent) source.innerHTML = row[DRAWN][1];
    }
    const cost = row[COST] ? `$${row[COST].toFixed(6)}` : "";
    const facts = [row[ID], row[STATUS], row[LANGUAGE], row[FIELD], cost, row[CHECKS].join(", "), ...(row[FACETS] ?? [])];
    note.textContent = facts.filter(Boolean).join(" · ");
    entry.append(link, source, note);
    return entry;
  }

  function changed() {
    const filled = Object.entries(wanted()).filter(([, value]) => value.trim());
    history.replaceState(null, "", `#${new URLSearchParams(filled)}`);
    if (!asked) loadRows();
    asked = true;
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
  more.addEventListener("click", () => {
    const before = shown;
    show();
    list.children[before]?.querySelector("a").focus();
  });
  // A link such as #field=optics or #check=numbers+fail is a search; #flagged is a place on the page.
  function askedByLink() {
    if (!location.hash.includes("=")) return null;
    const before = new URLSearchParams(location.hash.slice(1));
    form.querySelectorAll("input, select").forEach((field) => (field.value = ""));
    for (const [name, value] of before) {
      const field = form.elements.namedItem(name);
      if (field) field.value = value;
    }
    changed();
    if (before.has("q")) form.elements.namedItem("q").focus();
    return before;
  }
  askedByLink();
  window.addEventListener("hashchange", () => {
    if (askedByLink()) document.getElementById("find").scrollIntoView();
  });

  const jump = document.getElementById("goto");
  jump.addEventListener("submit", (event) => {
    event.preventDefault();
    location.href = `pages/${String(jump.elements.namedItem("page").valueAsNumber).padStart(4, "0")}.html`;
  });

  window.paperfleetView = {
    move(step) {
      const links = [...document.querySelectorAll(hits.length ? "#results a" : ".papers a")];
      const at = links.indexOf(document.activeElement);
      links[Math.max(0, Math.min(links.length - 1, at + step))]?.focus();
    },
    search: () => form.elements.namedItem("q").focus(),
  };
})();
