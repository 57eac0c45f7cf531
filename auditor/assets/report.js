// Sorts and searches the table of maps, zooms the timeline, opens the page that a link leads to, saves the
// data. Every word it shows stands in the page already; nothing here makes HTML of text.
"use strict";
(() => {
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => Array.from(within.querySelectorAll(selector));
  all(".tools").forEach((tools) => { tools.hidden = false; });

  // JSON as it is, or gzip in base64.
  const unpacked = async (data) => {
    if (!data.dataset.encoding) return data.textContent;
    const bytes = Uint8Array.from(atob(data.textContent), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };

  // The page of a map may be closed.
  const open = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (!target) return;
    for (let it = target; it; it = it.parentElement) if (it.tagName === "DETAILS") it.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", open);
  open();
  const press = (id, does) => { const button = one("#" + id); if (button) button.addEventListener("click", does); };
  // A few in each frame, so that the page answers meanwhile; what is pressed next ends it.
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  let turned = 0;
  const turn = async (open) => {
    const AT_ONCE = 8, mine = ++turned, pages = all("details.map");
    for (let at = 0; at < pages.length && mine === turned; at += AT_ONCE) {
      pages.slice(at, at + AT_ONCE).forEach((map) => { map.open = open; });
      await frame();
    }
  };
  press("open-all", () => turn(true));
  press("close-all", () => turn(false));

  // The rows that stand in the page, and behind them those that are only data until they are shown.
  const maps = async (table) => {
    // A browser lays a table out as a whole: the rows stand in tables of so many, out of sight without a layout.
    // The first of them answer, the others follow, STEP in a frame.
    const TOGETHER = 50, STEP = 200;
    const body = one("tbody", table), heads = all("thead th", table), titles = heads.map((head) => head.textContent);
    const { order, rest } = JSON.parse(await unpacked(one("#rows")));
    const isText = order.map((keys) => !keys);
    const count = (number) => number.toLocaleString("en");
    const word = (cell) => typeof cell === "string" ? cell : cell[0];
    const rows = all("tr", body).map((row, at) => ({ row, at, cells: Array.from(row.children, (cell) => cell.textContent) }));
    rest.forEach((cells) => rows.push({ row: null, at: rows.length, cells }));
    const drawn = (it) => {
      if (it.row) return it.row;
      it.row = document.createElement("tr");
      it.cells.forEach((cell, column) => {
        const [text, tone, full] = [].concat(cell);
        const into = document.createElement(column ? "td" : "th");
        if (!column) into.scope = "row";
        if (tone) into.className = tone;
        if (full) into.style.setProperty("--f", full + "%");
        into.textContent = text;
        it.row.append(into);
      });
      return it.row;
    };

    const text = (it) => it.text ??= it.cells.map(word).join(" ").toLowerCase();
    // Every table gets the widths that the columns have with the rows that stand in the page.
    let widths = null, height = 0;
    const columns = () => {
      const group = document.createElement("colgroup");
      group.append(...widths.map((width) => { const column = document.createElement("col"); column.style.width = width; return column; }));
      return group;
    };
    const fix = () => {
      if (widths) return;
      const whole = table.getBoundingClientRect().width;
      widths = heads.map((head) => head.getBoundingClientRect().width / whole * 100 + "%");
      height = body.getBoundingClientRect().height / shown;
      table.parentElement.style.setProperty("--least", whole + "px");
      one("caption", table).after(columns());
      table.classList.add("fixed");
    };
    const behind = document.createElement("div");
    table.after(behind);
    const step = (rows) => {
      const box = document.createElement("div"), next = document.createElement("table"), said = document.createElement("tr");
      // No higher than nothing: for who is told of a cell what its column is.
      said.append(...titles.map((title) => { const head = document.createElement("th"); head.scope = "col"; head.textContent = title; return head; }));
      next.append(columns());
      next.createTHead().append(said);
      next.createTBody().append(...rows);
      box.className = "step";
      box.style.containIntrinsicBlockSize = "auto " + height * rows.length + "px";
      next.className = "fixed";
      box.append(next);
      return box;
    };

    let sorted = rows, words = [], found = rows, shown = rows.length - rest.length, wanted = STEP, asked = 0;
    const goal = () => Math.min(wanted, found.length);
    const put = (until) => {
      fix();
      while (shown < until) {
        const next = found.slice(shown, Math.min(until, shown + TOGETHER)).map(drawn);
        shown ? behind.append(step(next)) : body.append(...next);
        shown += next.length;
      }
    };
    const tell = () => {
      if (!rest.length) return;
      const said = one("#drawn");
      said.ariaBusy = String(shown < goal());
      said.textContent = count(shown) + " of " + count(found.length);
      one("#more").disabled = one("#every").disabled = shown === found.length;
    };
    // Whatever else is asked for ends it.
    const add = async () => {
      const mine = ++asked;
      do {
        put(Math.min(goal(), shown + (shown ? STEP : TOGETHER)));
        tell();
        await frame();
      } while (mine === asked && shown < goal());
    };
    // On paper they are one table, whose headings each sheet repeats.
    addEventListener("beforeprint", () => {
      asked += 1;
      body.append(...found.slice(body.rows.length, goal()).map(drawn));
      behind.replaceChildren();
    });
    const show = () => {
      fix();
      found = words.length ? sorted.filter((it) => words.every((word) => text(it).includes(word))) : sorted;
      one("#found").textContent = words.length ? count(found.length) + " of " + count(rows.length) : "";
      shown = 0;
      body.replaceChildren();
      behind.replaceChildren();
      add();
    };
    addEventListener("afterprint", () => { if (widths) show(); });
    // Words in their order, numbers and addresses in them in that of their values.
    const key = (cell) => cell.toLowerCase().replace(/0x[0-9a-f]+|\d+/g, (number) => number.padStart(20, "0"));
    const ranks = (column) => {
      const keys = rows.map((it) => key(word(it.cells[column])));
      const ranks = new Map(Array.from(new Set(keys)).sort().map((key, rank) => [key, rank]));
      return keys.map((key) => ranks.get(key));
    };
    const sort = (column, ascending) => {
      const keys = order[column] ??= ranks(column), way = ascending ? 1 : -1;
      // What is not known comes last, whichever way.
      const compare = (first, second) => first === null || second === null ? (first === null) - (second === null) : (first - second) * way;
      sorted = rows.slice().sort((one, other) => compare(keys[one.at], keys[other.at]) || one.at - other.at);
      show();
      heads.forEach((head, at) => head.setAttribute("aria-sort", at !== column ? "none" : ascending ? "ascending" : "descending"));
    };
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.textContent = "";
      head.append(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        sort(column, now === "none" ? isText[column] : now === "descending");
      });
    });
    const search = one("#search");
    const find = () => {
      words = search.value.toLowerCase().split(" ").filter(Boolean);
      show();
    };
    search.addEventListener("input", find);
    press("more", () => { wanted = shown + STEP; add(); });
    press("every", () => { wanted = Infinity; add(); });
    if (rest.length) one("#rest").hidden = true;
    tell();
    // A browser may remember what was searched for.
    if (search.value) find();
  };
  if (one("#maps")) maps(one("#maps"));

  // What does not fit into its box is told when it is pointed at.
  const flame = one(".flame");
  if (flame) flame.addEventListener("pointerover", (event) => {
    const box = event.target.closest("div");
    if (box) box.title = box.textContent;
  });

  const chart = one("#chart");
  if (chart) {
    const WIDTH = 10000, LEAST = 20;
    const names = all("thead th", one("#readings")).map((head) => head.textContent);
    const moments = all("tbody tr", one("#readings")).map((row) => ({
      x: Number(row.dataset.x), words: Array.from(row.children, (cell) => cell.textContent.trim()),
    }));
    const picture = one(".picture", chart), plot = one(".plot", chart), cursor = one(".cursor", chart);
    const chosen = one(".chosen", chart), times = one(".times", chart), images = all("svg.z", chart);
    const whole = Array.from(times.children);
    let from = 0, to = WIDTH, at = -1, grabbed = null;
    const place = (x) => ((x - from) / (to - from)) * 100;
    const nearest = (x) => moments.reduce((best, moment, index) => Math.abs(moment.x - x) < Math.abs(moments[best].x - x) ? index : best, 0);
    const show = (index) => {
      at = index;
      const moment = moments[at];
      cursor.hidden = moment.x < from || moment.x > to;
      cursor.style.left = place(moment.x) + "%";
      const told = moment.words.flatMap((word, column) => {
        if (word === "-") return [];
        const span = document.createElement("span"), value = document.createElement("b");
        value.textContent = word;
        span.append(names[column] + " ", value);
        return [span];
      });
      one("#reading").replaceChildren(...told);
    };
    const view = (start, end) => {
      const span = Math.min(WIDTH, Math.max(LEAST, end - start));
      from = Math.min(Math.max(0, start), WIDTH - span);
      to = from + span;
      images.forEach((image) => {
        const box = image.viewBox.baseVal;
        image.setAttribute("viewBox", [from, 0, span, box.height].join(" "));
      });
      if (span === WIDTH) times.replaceChildren(...whole);
      else {
        const shown = moments.filter((moment) => moment.x >= from && moment.x <= to);
        const every = Math.max(1, Math.ceil(shown.length / 6));
        times.replaceChildren(...shown.filter((_, index) => index % every === 0).map((moment) => {
          const label = document.createElement("span");
          label.textContent = moment.words[0];
          label.style.left = place(moment.x) + "%";
          label.style.transform = "translateX(-50%)";
          return label;
        }));
      }
      if (at >= 0) show(at);
    };
    const zoom = {
      in: () => { const middle = at >= 0 ? moments[at].x : (from + to) / 2, half = (to - from) / 4; view(middle - half, middle + half); },
      out: () => { const half = to - from, middle = (from + to) / 2; view(middle - half, middle + half); },
      left: () => { const step = (to - from) / 3; view(from - step, to - step); },
      right: () => { const step = (to - from) / 3; view(from + step, to + step); },
      all: () => view(0, WIDTH),
    };
    all("[data-zoom]", chart).forEach((button) => button.addEventListener("click", zoom[button.dataset.zoom]));
    const under = (event) => {
      const box = plot.getBoundingClientRect();
      return from + Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * (to - from);
    };
    const choose = (start, end) => {
      chosen.hidden = false;
      chosen.style.left = place(Math.min(start, end)) + "%";
      chosen.style.width = Math.abs(place(end) - place(start)) + "%";
    };
    plot.addEventListener("pointerdown", (event) => { grabbed = under(event); plot.setPointerCapture(event.pointerId); });
    plot.addEventListener("pointermove", (event) => {
      const x = under(event);
      show(nearest(x));
      if (grabbed !== null) choose(grabbed, x);
    });
    const release = (event, does) => {
      if (grabbed === null) return;
      const [start, end] = [grabbed, under(event)].sort((one, other) => one - other);
      grabbed = null;
      chosen.hidden = true;
      if (does && end - start > (to - from) / 100) view(start, end);
    };
    plot.addEventListener("pointerup", (event) => release(event, true));
    plot.addEventListener("pointercancel", (event) => release(event, false));
    plot.addEventListener("dblclick", zoom.all);
    picture.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -moments.length, End: moments.length }[event.key];
      const does = { "+": zoom.in, "=": zoom.in, "-": zoom.out, "0": zoom.all }[event.key];
      if (step === undefined && !does) return;
      event.preventDefault();
      if (does) return does();
      const next = at < 0 ? (step > 0 ? 0 : moments.length - 1) : Math.min(moments.length - 1, Math.max(0, at + step));
      show(next);
      const x = moments[next].x;
      if (x < from || x > to) view(x - (to - from) / 2, x + (to - from) / 2);
    });
    show(moments.length - 1);
  }

  press("save", async () => {
    const json = await unpacked(one("#report"));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([json], { type: "application/json" }));
    link.download = "report.json";
    link.click();
    URL.revokeObjectURL(link.href);
  });
})();
