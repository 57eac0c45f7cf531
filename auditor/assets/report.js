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
  press("open-all", () => all("details.map").forEach((map) => { map.open = true; }));
  press("close-all", () => all("details.map").forEach((map) => { map.open = false; }));

  // The rows that stand in the page, and behind them those that are only data until they are shown.
  const maps = async (table) => {
    const STEP = 200;
    const body = one("tbody", table), heads = all("thead th", table);
    const { order, rest } = JSON.parse(await unpacked(one("#rows")));
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

    let sorted = rows, words = [], found = rows, shown = 0, turn = 0;
    const text = (it) => it.text ??= it.cells.map(word).join(" ").toLowerCase();
    const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    // A browser lays a table out as a whole: what comes behind the first step stands in tables of their own, as wide.
    const behind = document.createElement("div");
    table.after(behind);
    const step = (rows) => {
      const box = document.createElement("div"), next = document.createElement("table"), columns = document.createElement("colgroup");
      heads.forEach((head) => {
        const column = document.createElement("col");
        column.style.width = head.getBoundingClientRect().width + "px";
        columns.append(column);
      });
      const body = document.createElement("tbody");
      body.append(...rows);
      next.append(columns, body);
      box.className = "step";
      box.style.width = table.getBoundingClientRect().width + "px";
      box.append(next);
      behind.append(box);
    };
    // Step by step, so that the page answers meanwhile; whatever else is asked for ends it.
    const add = async (most) => {
      const mine = ++turn;
      do {
        const next = found.slice(shown, shown + STEP).map(drawn);
        shown ? step(next) : body.replaceChildren(...next);
        shown += next.length;
        if (!rest.length) return;
        one("#drawn").textContent = count(shown) + " of " + count(found.length);
        one("#more").disabled = one("#every").disabled = shown === found.length;
        await frame();
      } while (mine === turn && shown < Math.min(most, found.length));
    };
    const show = () => {
      found = words.length ? sorted.filter((it) => words.every((word) => text(it).includes(word))) : sorted;
      one("#found").textContent = words.length ? count(found.length) + " of " + count(rows.length) : "";
      shown = 0;
      behind.replaceChildren();
      add(STEP);
    };
    const collator = new Intl.Collator(undefined, { numeric: true });
    const sort = (column, ascending) => {
      const keys = order[column], way = ascending ? 1 : -1;
      // What is not known comes last, whichever way.
      const compare = (one, other) => {
        if (!keys) return collator.compare(word(one.cells[column]), word(other.cells[column])) * way;
        const [first, second] = [keys[one.at], keys[other.at]];
        if (first === null || second === null) return (first === null) - (second === null);
        return (first - second) * way;
      };
      sorted = rows.slice().sort((one, other) => compare(one, other) || one.at - other.at);
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
        sort(column, now === "none" ? !order[column] : now === "descending");
      });
    });
    const search = one("#search");
    const find = () => {
      words = search.value.toLowerCase().split(" ").filter(Boolean);
      show();
    };
    search.addEventListener("input", find);
    press("more", () => add(shown + STEP));
    press("every", () => add(Infinity));
    if (rest.length) one("#rest").hidden = true;
    find();
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
