// search.js - looks words up in search-index.js, which was written when the site was built.
// Without scripts there is no search field, and everything else works.
"use strict";

(() => {
  const RESULTS_MAX = 25;
  const SNIPPET_CHARS = 110;
  const form = document.getElementById("search");
  const field = form.querySelector("input");
  const status = form.querySelector("p");
  const list = document.getElementById("found");

  // The index is fetched when somebody wants to search, once.
  function load() {
    if (load.begun) return;
    load.begun = true;
    const script = document.createElement("script");
    script.src = "search-index.js";
    script.onload = show;
    document.head.append(script);
  }

  // 0: not all words are here. A word in the title counts for more, one that begins it for most.
  function score([, , title, text, later], words) {
    const name = title.toLowerCase(), rest = text.toLowerCase();
    let sum = later ? 1 : 2;
    for (const word of words) {
      if (name.startsWith(word)) sum += 40;
      else if (name.includes(word)) sum += 20;
      else if (rest.includes(word)) sum += 2;
      else return 0;
    }
    return sum * (later ? 1 : 2);
  }

  // The text around the first word that stands in it, that word marked.
  function snippet(text, words) {
    const places = words.map((word) => text.toLowerCase().indexOf(word)).filter((at) => at >= 0);
    const at = places.length ? Math.min(...places) : 0;
    const from = at < SNIPPET_CHARS / 2 ? 0 : text.indexOf(" ", at - SNIPPET_CHARS / 2) + 1;
    const part = text.slice(from, from + SNIPPET_CHARS);
    const small = document.createElement("small");
    const word = words.find((w) => part.toLowerCase().includes(w)) || "";
    const begin = word ? part.toLowerCase().indexOf(word) : part.length;
    const mark = document.createElement("mark");
    mark.textContent = part.slice(begin, begin + word.length);
    small.append(from ? "… " : "", part.slice(0, begin), mark, part.slice(begin + word.length),
                 from + part.length < text.length ? " …" : "");
    return small;
  }

  function result(entry, words) {
    const [page, anchor, title, text] = entry;
    const [name, chapter] = window.riverIndex.pages[page];
    const item = document.createElement("li");
    const link = document.createElement("a");
    const head = document.createElement("b");
    const place = document.createElement("small");
    link.href = `${name}#${anchor}`;
    head.textContent = title;
    place.textContent = title === chapter ? "" : chapter;
    link.append(head, place, snippet(text, words));
    item.append(link);
    return item;
  }

  function show() {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    form.parentElement.classList.toggle("searching", words.length > 0);
    list.replaceChildren();
    status.textContent = "";
    if (!words.length || !window.riverIndex) return;
    const found = window.riverIndex.entries
      .map((entry) => [score(entry, words), entry])
      .filter(([points]) => points > 0)
      .sort((a, b) => b[0] - a[0]);
    status.textContent = found.length > RESULTS_MAX ? `${RESULTS_MAX} of ${found.length} places`
      : found.length === 1 ? "1 place" : found.length ? `${found.length} places` : "Nothing found";
    list.append(...found.slice(0, RESULTS_MAX).map(([, entry]) => result(entry, words)));
  }

  field.addEventListener("focus", load);
  field.addEventListener("input", () => { load(); show(); });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const first = list.querySelector("a");
    if (first) first.click();
  });
  list.addEventListener("click", () => { field.value = ""; show(); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== field && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      field.focus();
    } else if (event.key === "Escape" && document.activeElement === field) {
      field.value = "";
      show();
      field.blur();
    }
  });
  form.hidden = false;
})();
