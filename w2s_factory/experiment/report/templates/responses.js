"use strict";
// The page of all responses. It lists questions from small overviews, and loads the texts of a question from
// the file that holds them when the question is opened. A page on the disk may not fetch files, but it may
// load scripts: each file of data is a script that calls `w2sResponses.give`. Texts of models become text
// nodes only, never HTML.
(() => {
  const ON_PAGE = 50;
  const KEPT = 6; // files of texts in memory
  const given = new Map();
  window.w2sResponses = { give: (name, value) => given.set(name, value) };

  // Elements

  const byId = (id) => document.getElementById(id);

  function make(tag, properties, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties || {})) {
      if (name in element) element[name] = value;
      else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  const options = (pairs) => pairs.map(([value, text]) => make("option", { value }, text));

  function select(label, name, pairs) {
    return make("label", {}, label, make("select", { name }, ...options(pairs)));
  }

  function badge(letter) {
    const kind = letter === "c" ? "gain" : letter === "g" || letter === "-" ? "none" : "loss";
    return make("span", { className: `badge ${kind}` }, about.verdicts[letter]);
  }

  const answerOr = (text) => (text === "" ? make("i", {}, "none") : make("b", { className: "final" }, text));

  function folded(title, ...children) {
    return make("details", {}, make("summary", {}, title), make("div", { className: "inside" }, ...children));
  }

  // Files of data

  const loading = new Map();

  function load(name) {
    if (!loading.has(name)) loading.set(name, request(name));
    const kept = [...loading.keys()].filter((other) => other.includes("_texts_"));
    for (const other of kept.slice(0, -KEPT)) loading.delete(other);
    return loading.get(name);
  }

  function request(name) {
    return new Promise((done, fail) => {
      const script = make("script", { src: `${name}.js` });
      const finish = () => {
        script.remove();
        if (!given.has(name)) {
          loading.delete(name);
          fail(new Error(`The file ${name}.js cannot be read. Keep all files of this folder together.`));
          return;
        }
        done(given.get(name));
        given.delete(name);
      };
      script.addEventListener("load", finish);
      script.addEventListener("error", finish);
      document.head.append(script);
    });
  }

  // What is loaded; null, also after an error, if it is no longer wanted then.
  async function ifLast(loaded, isWanted) {
    try {
      const value = await loaded;
      return isWanted() ? value : null;
    } catch (error) {
      if (isWanted()) throw error;
      return null;
    }
  }

  const report = (error) => say(error.message);

  function say(text) {
    byId("status").textContent = text;
  }

  // State: the set of questions that is shown, its rows, those that match, and the page of them.

  let about = null;
  let set = null;
  let rows = [];
  let shown = [];
  let page = 0;
  let turn = 0; // counts searches; one that is not the last is given up
  let choice = 0; // counts choices of questions and seeds, likewise

  const form = byId("form");
  const valueOf = (name) => (form.elements[name] ? form.elements[name].value : "");

  const titles = () => [...new Set(about.sets.map((one) => one.title))];
  const seedsOf = (title) => about.sets.filter((one) => one.title === title).map((one) => one.seed);

  // A row: id, question, gold, letters of verdicts, final answers, groups, number of its file of texts, and
  // its place in that file.
  const ID = 0, QUESTION = 1, GOLD = 2, LETTERS = 3, ANSWERS = 4, GROUPS = 5, FILE = 6, PLACE = 7;

  // The form

  function buildForm() {
    const title = set ? set.title : titles()[0];
    const models = [["", "any model"], ["*", "every model"], ...set.labels.map((label, place) => [place, label])];
    const fields = [];
    if (titles().length > 1) fields.push(select("Questions", "questions", titles().map((one) => [one, one])));
    if (seedsOf(title).length > 1) fields.push(select("Seed", "seed", seedsOf(title).map((one) => [one, one])));
    const hint = "Search (id:17 finds one question)";
    fields.push(make("label", {}, hint, make("input", { name: "search", type: "search", autocomplete: "off" })));
    fields.push(select("Search in", "where", [["", "questions and final answers"], ["texts", "all texts"]]));
    const filters = [];
    for (const number of [1, 2]) {
      const legend = number === 1 ? "Model" : "And model";
      const who = select(legend, `model${number}`, models);
      filters.push(make("div", { className: "together" }, who, select("is", `verdict${number}`, verdicts())));
    }
    set.groupedBy.forEach((name, place) => {
      const values = [...new Set(rows.map((row) => row[GROUPS][place]))].sort(byNumberThenText);
      filters.push(select(name, `group${place}`, [["", "all"], ...values.map((value) => [value, value])]));
    });
    filters.push(make("button", { type: "button", onclick: clear }, "Clear search and filters"));
    const more = folded("Filters", make("div", { className: "fields" }, ...filters));
    more.id = "filters";
    form.replaceChildren(make("div", { className: "fields" }, ...fields), more);
    if (form.elements.questions) form.elements.questions.value = set.title;
    if (form.elements.seed) form.elements.seed.value = set.seed;
  }

  function verdicts() {
    const letters = new Set(rows.flatMap((row) => [...row[LETTERS]]));
    const found = Object.entries(about.verdicts).filter(([letter]) => letters.has(letter));
    return [["", "anything"], ["!", "not correct"], ...found];
  }

  function byNumberThenText(one, other) {
    return Number(one) - Number(other) || (one < other ? -1 : Number(one > other));
  }

  function clear() {
    for (const control of form.elements) {
      if (control.name && control.name !== "questions" && control.name !== "seed") control.value = "";
    }
    changed().catch(report);
  }

  // Filters

  function hasVerdict(row, model, verdict) {
    if (verdict === "") return true;
    const letters = [...row[LETTERS]];
    const fits = (letter) => (verdict === "!" ? !"cg-".includes(letter) : letter === verdict);
    if (model === "*") return letters.every(fits);
    return model === "" ? letters.some(fits) : fits(letters[Number(model)]);
  }

  function isKept(row) {
    return (
      [1, 2].every((number) => hasVerdict(row, valueOf(`model${number}`), valueOf(`verdict${number}`))) &&
      row[GROUPS].every((value, place) => ["", value].includes(valueOf(`group${place}`)))
    );
  }

  const holds = (value, words) =>
    typeof value === "string"
      ? value.toLowerCase().includes(words)
      : value !== null && typeof value === "object" && Object.values(value).some((inner) => holds(inner, words));

  function isFound(row, words) {
    if (words.startsWith("id:")) return row[ID].toLowerCase() === words.slice(3).trim();
    return [row[ID], row[QUESTION], row[GOLD], row[ANSWERS]].some((value) => holds(value, words));
  }

  async function search() {
    const mine = ++turn;
    const words = valueOf("search").trim().toLowerCase();
    const kept = rows.filter(isKept);
    if (valueOf("where") !== "texts" || words === "" || words.startsWith("id:")) {
      shown = words === "" ? kept : kept.filter((row) => isFound(row, words));
      return show(0);
    }
    const found = [];
    let texts = [];
    let number = 0;
    for (const row of kept) {
      if (row[FILE] !== number) {
        number = row[FILE];
        say(`Searching file ${number} of ${set.texts}…`);
        texts = await ifLast(load(`${set.name}_texts_${number}`), () => mine === turn);
        if (texts === null) return;
      }
      if (holds(texts[row[PLACE]], words)) found.push(row);
    }
    shown = found;
    show(0);
  }

  // The list

  function show(number) {
    page = number;
    const first = page * ON_PAGE;
    byId("list").replaceChildren(...shown.slice(first, first + ON_PAGE).map(item));
    const of = `${shown.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} questions`;
    say(shown.length ? of : "No question fits this search and these filters.");
    showPager();
    remember();
    performance.mark("listed");
  }

  function showPager() {
    const pages = Math.ceil(shown.length / ON_PAGE);
    const go = (text, to) => make("button", { type: "button", disabled: to < 0 || to >= pages, onclick: () => turnTo(to) }, text);
    const place = make("span", {}, `Page ${page + 1} of ${pages}`);
    byId("pager").replaceChildren(...(pages > 1 ? [go("Previous", page - 1), place, go("Next", page + 1)] : []));
  }

  function turnTo(number) {
    show(number);
    byId("list").querySelector("summary").focus();
  }

  function marks(row) {
    const letters = [...row[LETTERS]];
    const right = letters.filter((letter) => letter === "c").length;
    const said = `${right} of ${letters.length} correct`;
    const signs = letters.map((letter) => {
      const [sign, kind] = letter === "c" ? ["✓", "gain"] : "g-".includes(letter) ? ["·", "none"] : ["✗", "loss"];
      return make("span", { className: kind }, sign);
    });
    return make("span", { className: "marks", role: "img", "aria-label": said, title: said }, ...signs);
  }

  function item(row) {
    const summary = make(
      "summary", {},
      make("span", { className: "name" }, row[ID]),
      make("span", { className: "excerpt" }, row[QUESTION]),
      marks(row),
    );
    const inside = make("div", { className: "inside" });
    const details = make("details", {}, summary, inside);
    details.addEventListener("toggle", () => {
      if (details.open && !inside.hasChildNodes()) open(row, inside);
    });
    return make("li", {}, details);
  }

  async function open(row, inside) {
    const of = set;
    inside.append("Loading…");
    try {
      const texts = await load(`${of.name}_texts_${row[FILE]}`);
      inside.replaceChildren(...question(of, row, texts[row[PLACE]]));
    } catch (error) {
      inside.replaceChildren(error.message);
    }
  }

  // One question

  function question(of, row, texts) {
    const parts = [];
    if (texts.question) parts.push(make("h3", {}, "Question"), make("pre", {}, texts.question));
    parts.push(make("p", {}, "Gold answer: ", answerOr(texts.gold)));
    if (texts.solution) parts.push(folded("Gold solution", make("pre", {}, texts.solution)));
    const groups = of.groupedBy.map((name, place) => `${name}: ${row[GROUPS][place]}`).join("; ");
    if (groups) parts.push(make("p", { className: "soft" }, groups));
    const responses = texts.responses.map((found, place) => response(of.labels[place], found, texts.prompts));
    parts.push(make("h3", {}, "Responses"), make("div", { className: "responses" }, ...responses));
    if ("outcome" in texts) parts.push(...votes(texts.votes), ...pairs(texts));
    return parts;
  }

  function response(label, found, prompts) {
    const parts = [make("h4", {}, label, badge(found ? found.verdict : "-"))];
    if (found) {
      parts.push(make("p", {}, "Final answer: ", answerOr(found.final)));
      if (found.any_format) {
        const [letter, answer] = found.any_format;
        parts.push(make("p", {}, "In any format: ", answerOr(answer), " ", badge(letter)));
      }
      parts.push(...body(found));
      const { system, text } = prompts[found.prompt];
      const asked = system ? [make("p", {}, "System prompt"), make("pre", {}, system), make("p", {}, "Prompt")] : [];
      parts.push(folded("Prompt", ...asked, make("pre", {}, text)));
    }
    return make("article", { className: "response", "aria-label": label }, ...parts);
  }

  function body(found) {
    if (found.error) return [make("p", {}, "The engine refused the request:"), make("pre", {}, found.error)];
    const parts = [];
    if (found.thinking) {
      const length = `${found.thinking.length.toLocaleString("en")} characters`;
      parts.push(folded(`Thinking (${length})`, make("pre", {}, found.thinking)));
    }
    if (found.answer || !found.thinking) parts.push(make("pre", {}, found.answer));
    return parts;
  }

  function votes(found) {
    const parts = [make("h3", {}, "Votes")];
    if (!found) return [...parts, make("p", {}, "There are no votes on this question.")];
    const answers = new Map();
    for (const sample of found.samples) {
      const key = JSON.stringify([sample.majority, sample.final]);
      answers.set(key, [...(answers.get(key) || []), sample]);
    }
    parts.push(make("p", {}, `Confidence ${Number(found.confidence.toFixed(3))}: the share of samples with the majority answer.`));
    for (const samples of answers.values()) {
      const [first] = samples;
      const title = make("span", {}, `${samples.length} × `, answerOr(first.final), first.majority ? " (majority) " : " ", badge(first.verdict));
      const all = samples.map((sample) => make("article", { className: "response", "aria-label": "Sample" }, ...body(sample)));
      parts.push(folded(title, make("div", { className: "responses" }, ...all)));
    }
    return parts;
  }

  function pairs(texts) {
    const parts = [make("h3", {}, "Pair"), make("p", { className: "outcome" }, texts.outcome)];
    texts.pairs.forEach((pair) => {
      const sample = pair.seed === null ? "a sample of M_plus" : `the sample of M_plus with seed ${pair.seed}`;
      const sides = ["chosen", "rejected"].map((side) => {
        const from = pair.weak === null ? "" : pair.weak === side ? ": the weak response" : `: ${sample}`;
        return make("article", { className: "response", "aria-label": side }, make("h4", {}, `${side}${from}`), make("pre", {}, pair[side]));
      });
      parts.push(make("div", { className: "responses" }, ...sides));
    });
    return parts;
  }

  // The address keeps the search, so that a link or the button "back" leads to it.

  function remember() {
    const values = new URLSearchParams();
    for (const control of form.elements) {
      if (control.name && control.value !== "") values.set(control.name, control.value);
    }
    if (`#${values}` !== location.hash) history.replaceState(null, "", `#${values}`);
  }

  async function recall() {
    const values = new URLSearchParams(location.hash.slice(1));
    const fits = (one) => one.title === values.get("questions") && String(one.seed) === values.get("seed");
    const like = (one) => one.title === values.get("questions") || String(one.seed) === values.get("seed");
    if (!(await choose(about.sets.find(fits) || about.sets.find(like) || about.sets[0]))) return;
    for (const [name, value] of values) {
      const control = form.elements[name];
      if (control && name !== "questions" && name !== "seed") control.value = value;
      if (control && /^(model|verdict|group)/.test(name)) byId("filters").open = true;
    }
    await search();
    if (shown.length === 1) byId("list").querySelector("details").open = true;
  }

  // Shows other questions. It is false if others yet were chosen meanwhile.
  async function choose(other, words = () => "") {
    const mine = ++choice;
    const numbers = Array.from({ length: other.overviews }, (_, place) => place + 1);
    const files = Promise.all(numbers.map((number) => load(`${other.name}_overview_${number}`)));
    const parts = await ifLast(files, () => mine === choice);
    if (parts === null) return false;
    turn++; // a search of the former questions
    const kept = words();
    set = other;
    rows = parts.flat();
    let [file, place] = [0, 0];
    for (const row of rows) {
      place = row[FILE] === file ? place + 1 : 0;
      file = row[FILE];
      row[PLACE] = place;
    }
    buildForm();
    form.elements.search.value = kept;
    return true;
  }

  async function changed(event) {
    const name = event ? event.target.name : "";
    if (name !== "questions" && name !== "seed") return search();
    const title = valueOf("questions") || set.title;
    const there = about.sets.filter((one) => one.title === title);
    const other = there.find((one) => String(one.seed) === valueOf("seed")) || there[0];
    if (!(await choose(other, () => valueOf("search")))) return;
    form.elements[name].focus();
    return search();
  }

  let waiting = 0;

  function soon(event) {
    clearTimeout(waiting);
    waiting = setTimeout(() => changed(event).catch(report), event.target.name === "search" ? 200 : 0);
  }

  form.addEventListener("input", soon);
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", () => recall().catch(report));

  load("contents").then((contents) => {
    about = contents;
    return recall();
  }).catch(report);
})();
