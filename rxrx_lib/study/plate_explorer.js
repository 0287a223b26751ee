/* An interactive plate map, without any library. Each `.plate-explorer` on the page holds its data as
   JSON; texts come into the page as text only, never as HTML. */
(function () {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";
  const COLUMNS = 22, ROWS = 14, STEP = 20, LEFT = 22, TOP = 20;
  const WIDTH = LEFT + COLUMNS * STEP + 2, HEIGHT = TOP + ROWS * STEP + 22;
  const SHAPES = [
    "M 7.5 0 A 7.5 7.5 0 1 1 -7.5 0 A 7.5 7.5 0 1 1 7.5 0 Z",
    "M 0 -8.8 L 8.8 0 L 0 8.8 L -8.8 0 Z",
    "M -7 -7 H 7 V 7 H -7 Z",
  ];
  const TYPES = ["treatment", "positive control", "EMPTY (no siRNA)"];

  function element(name, attributes, parent, text) {
    const inside = name === "svg" || (parent && parent.namespaceURI === SVG);
    const made = inside ? document.createElementNS(SVG, name) : document.createElement(name);
    for (const key in attributes || {}) made.setAttribute(key, attributes[key]);
    if (text !== undefined) made.textContent = text;
    if (parent) parent.appendChild(made);
    return made;
  }

  function shape(type, parent) {
    return element("path", { class: "well type-" + type, d: SHAPES[type] }, parent);
  }

  function wellName(place) {
    const column = (place % COLUMNS) + 2;
    return "BCDEFGHIJKLMNO"[Math.floor(place / COLUMNS)] + (column < 10 ? "0" : "") + column;
  }

  function centre(place) {
    return [
      LEFT + ((place % COLUMNS) + 0.5) * STEP,
      TOP + (Math.floor(place / COLUMNS) + 0.5) * STEP,
    ];
  }

  function move(node, place) {
    node.setAttribute("transform", "translate(" + centre(place).join(" ") + ")");
  }

  /* A well as it comes: [place, type, siRNA, cells or null, six mean grey levels]. */
  function read(data, packed) {
    return {
      place: packed[0],
      type: packed[1],
      sirna: packed[2],
      cells: packed[3],
      levels: packed.slice(4),
      name: wellName(packed[0]),
      label: packed[2] < 0 ? "no label" : data.sirnas[packed[2]],
    };
  }

  function valueOf(well, measure) {
    return measure === "cells" ? well.cells : well.levels[measure];
  }

  /* The lowest and highest value on the whole page, so that experiments share one scale. */
  function rangeOf(data, measure) {
    let low = Infinity, high = -Infinity;
    for (const experiment of data.experiments)
      for (const plate in experiment.plates)
        for (const packed of experiment.plates[plate]) {
          const value = valueOf(read(data, packed), measure);
          low = Math.min(low, value);
          high = Math.max(high, value);
        }
    return [low, high];
  }

  /* Place of a value between the ends, on a logarithmic scale. */
  function placeOnScale(value, range) {
    const log = (level) => Math.log(level + 0.5);
    return range[1] > range[0]
      ? (log(value) - log(range[0])) / (log(range[1]) - log(range[0]))
      : 0.5;
  }

  function colourAt(stops, share) {
    const at = share * (stops.length - 1), low = Math.min(Math.floor(at), stops.length - 2);
    const mixed = stops[low].map((part, k) =>
      Math.round(part + (stops[low + 1][k] - part) * (at - low)));
    return "rgb(" + mixed.join(",") + ")";
  }

  function start(root) {
    const data = JSON.parse(root.querySelector("script[type='application/json']").textContent);
    const state = { experiment: 0, plate: null, measure: "type", kept: 0, wells: new Map() };
    const page = build(root, data);

    function options() {
      const plates = Object.keys(data.experiments[state.experiment].plates);
      page.plate.replaceChildren();
      for (const plate of plates) element("option", { value: plate }, page.plate, plate);
      if (!plates.includes(state.plate)) state.plate = plates[0];
      page.plate.value = state.plate;
    }

    function load() {
      const packed = data.experiments[state.experiment].plates[state.plate];
      state.wells = new Map(packed.map((one) => [one[0], read(data, one)]));
      draw();
    }

    function draw() {
      const range = state.measure === "type" ? null : rangeOf(data, state.measure);
      for (const cell of page.cells) {
        const well = state.wells.get(cell.place);
        cell.node.replaceChildren();
        cell.node.setAttribute("aria-label", spoken(well, cell.place));
        if (!well) {
          element("circle", { class: "unused", r: 1.8 }, cell.node);
          continue;
        }
        const drawn = shape(well.type, cell.node);
        if (range)
          drawn.style.fill = colourAt(
            data.stops, placeOnScale(valueOf(well, state.measure), range));
      }
      legend(range);
      keep(state.kept, false);
    }

    function legend(range) {
      page.legend.replaceChildren();
      if (range) {
        const unit = state.measure === "cells" ? " cells" : " grey levels";
        const stops = data.stops.map((stop) => "rgb(" + stop.join(",") + ")").join(",");
        const scale = element("span", { class: "scale" }, page.legend);
        element("span", {}, scale, number(range[0]));
        element("span", { style: "background:linear-gradient(90deg," + stops + ")" }, scale);
        element("span", {}, scale, number(range[1]) + unit);
        element("span", {}, page.legend, "logarithmic, from the lowest to the highest well of the " +
          data.experiments.length + " experiments here");
        return;
      }
      TYPES.forEach((name, type) => {
        const count = [...state.wells.values()].filter((well) => well.type === type).length;
        const item = element("span", {}, page.legend);
        shape(type, element("svg", { viewBox: "-10 -10 20 20", "aria-hidden": "true" }, item));
        item.append(name + ": " + count);
      });
    }

    function number(value) {
      if (value >= 100 || Number.isInteger(value)) return String(Math.round(value));
      return value.toFixed(value < 1 ? 2 : 1);
    }

    function cellWords(well) {
      return well.cells === null ? "number of cells not known" : well.cells + " cells";
    }

    function spoken(well, place) {
      if (!well) return wellName(place) + ", no picture";
      const levels = data.channels.map((name, k) => name + " " + number(well.levels[k]));
      return [well.name, well.label, TYPES[well.type], cellWords(well)].join(", ") +
        ", mean grey levels: " + levels.join(", ");
    }

    function show(place) {
      const well = state.wells.get(place);
      move(page.ring, place);
      page.details.replaceChildren();
      element("p", { class: "name" }, page.details,
        wellName(place) + (well ? " · " + well.label : " · no picture"));
      if (!well) {
        element("p", { class: "quiet" }, page.details, "This screen has no site in this well.");
        return;
      }
      element("p", {}, page.details, TYPES[well.type] + " · " + cellWords(well));
      element("p", { class: "quiet" }, page.details, "Mean grey level. A bar runs from the darkest to " +
        "the brightest well of all experiments here, logarithmically.");
      data.channels.forEach((name, k) => {
        const line = element("div", { class: "channel" }, page.details);
        element("span", {}, line, name);
        const share = 2 + 98 * placeOnScale(well.levels[k], page.ranges[k]);
        const track = element("span", {}, line);
        element("div", { class: "bar", style: "width:" + share.toFixed(1) + "%" }, track);
        element("span", { class: "level" }, line, number(well.levels[k]));
      });
    }

    function keep(place, focus) {
      page.cells[state.kept].node.setAttribute("tabindex", "-1");
      state.kept = place;
      const node = page.cells[place].node;
      node.setAttribute("tabindex", "0");
      move(page.kept, place);
      show(place);
      if (focus) node.focus({ preventScroll: true });
    }

    /* Where the siRNA of the kept well stands in the experiment that is now chosen. */
    function follow(sirna) {
      const plates = data.experiments[state.experiment].plates;
      const order = [state.plate, ...Object.keys(plates)].filter((plate) => plate in plates);
      for (const plate of order)
        for (const packed of plates[plate])
          if (sirna >= 0 && packed[2] === sirna) {
            state.plate = plate;
            state.kept = packed[0];
            return;
          }
    }

    function changed(rechoose) {
      const well = state.wells.get(state.kept);
      page.cells[state.kept].node.setAttribute("tabindex", "-1");
      rechoose(well);
      options();
      load();
    }

    page.experiment.addEventListener("change", () => changed((well) => {
      state.experiment = Number(page.experiment.value);
      if (well) follow(well.sirna);
    }));
    page.plate.addEventListener("change", () => changed((well) => {
      state.plate = page.plate.value;
      const packed = data.experiments[state.experiment].plates[state.plate];
      const same = packed.find((one) => well && well.sirna >= 0 && one[2] === well.sirna);
      state.kept = (same || packed[0])[0];
    }));
    page.measure.addEventListener("change", () => {
      const chosen = page.measure.value;
      state.measure = chosen === "type" || chosen === "cells" ? chosen : Number(chosen);
      draw();
    });

    function placeUnder(event) {
      const box = page.svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * WIDTH - LEFT;
      const y = ((event.clientY - box.top) / box.height) * HEIGHT - TOP;
      const column = Math.floor(x / STEP), row = Math.floor(y / STEP);
      const inside = column >= 0 && column < COLUMNS && row >= 0 && row < ROWS;
      return inside ? row * COLUMNS + column : null;
    }

    /* Fingers are wide and wells are small: a touch takes the nearest well with a picture. */
    function nearest(place) {
      const at = centre(place);
      let best = place, least = 2.6 * STEP;
      for (const other of state.wells.keys()) {
        const to = centre(other), far = Math.hypot(to[0] - at[0], to[1] - at[1]);
        if (far < least) [best, least] = [other, far];
      }
      return best;
    }

    page.svg.addEventListener("pointermove", (event) => {
      const place = event.pointerType === "mouse" ? placeUnder(event) : null;
      if (place !== null) show(place);
    });
    page.svg.addEventListener("pointerleave", () => show(state.kept));
    page.svg.addEventListener("click", (event) => {
      const place = placeUnder(event);
      if (place !== null) keep(event.pointerType === "mouse" ? place : nearest(place), true);
    });

    /* Left and right in reading order, up and down to the closest column; wells with pictures only. */
    function neighbour(key) {
      const places = [...state.wells.keys()].sort((a, b) => a - b), here = state.kept;
      if (key === "Home") return places[0];
      if (key === "End") return places[places.length - 1];
      if (key === "ArrowRight") return places.find((place) => place > here);
      if (key === "ArrowLeft") return places.filter((place) => place < here).pop();
      const down = key === "ArrowDown" ? 1 : key === "ArrowUp" ? -1 : 0;
      let best, least = Infinity;
      for (const place of places) {
        const rows = down * (Math.floor(place / COLUMNS) - Math.floor(here / COLUMNS));
        const cost = rows + 2 * Math.abs((place % COLUMNS) - (here % COLUMNS));
        if (down && rows > 0 && cost < least) [best, least] = [place, cost];
      }
      return best;
    }

    page.svg.addEventListener("keydown", (event) => {
      if (!/^(Arrow(Left|Right|Up|Down)|Home|End)$/.test(event.key)) return;
      event.preventDefault();
      const place = neighbour(event.key);
      if (place !== undefined) keep(place, true);
    });
    page.svg.addEventListener("focusin", (event) => {
      const cell = page.cells.find((one) => one.node === event.target);
      if (cell) show(cell.place);
    });

    options();
    const packed = data.experiments[0].plates[state.plate];
    state.kept = (packed.find((one) => one[1] === 0) || packed[0])[0];
    load();
    root.setAttribute("data-ready", "");
  }

  /* The page's fixed parts: what is chosen, the plate, the legend and the details. */
  function build(root, data) {
    const app = element("div", {}, root);
    const controls = element("div", { class: "controls" }, app);
    const choice = (words) => element("select", {}, element("label", {}, controls, words + " "));
    const page = { experiment: choice("Experiment"), plate: choice("Plate"), measure: choice("Colour") };
    data.experiments.forEach((experiment, k) => element("option", { value: k }, page.experiment,
      experiment.name + " (" + experiment.side + ")"));
    element("option", { value: "type" }, page.measure, "type of well");
    const counted = Object.values(data.experiments[0].plates)[0][0][3] !== null;
    if (counted) element("option", { value: "cells" }, page.measure, "number of cells");
    data.channels.forEach((name, k) =>
      element("option", { value: k }, page.measure, "intensity: " + name));

    const board = element("div", { class: "board" }, app);
    const plate = element("div", { class: "plate" }, board);
    page.svg = element("svg", {
      viewBox: [0, 0, WIDTH, HEIGHT].join(" "), role: "grid",
      "aria-label": "Wells of the plate; arrow keys move between wells with pictures",
    }, plate);
    for (let column = 0; column < COLUMNS; column++)
      element("text", { x: centre(column)[0], y: TOP / 2, "aria-hidden": "true" }, page.svg,
        column + 2);
    page.cells = [];
    for (let row = 0; row < ROWS; row++) {
      const first = row * COLUMNS, group = element("g", { role: "row" }, page.svg);
      element("text", { x: LEFT / 2 - 2, y: centre(first)[1], "aria-hidden": "true" }, group,
        wellName(first)[0]);
      for (let place = first; place < first + COLUMNS; place++) {
        const node = element("g", { role: "gridcell", tabindex: "-1" }, group);
        move(node, place);
        page.cells.push({ place, node });
      }
    }
    page.kept = element("circle", { class: "ring kept", r: 10.5 }, page.svg);
    page.ring = element("circle", { class: "ring", r: 10.5 }, page.svg);
    if (data.badge) {
      const mark = element("g", { class: "mark", "aria-hidden": "true" }, page.svg);
      element("rect", { x: WIDTH - 88, y: HEIGHT - 18, width: 86, height: 17, rx: 3 }, mark);
      element("text", { x: WIDTH - 45, y: HEIGHT - 9.5 }, mark, data.badge);
    }
    page.legend = element("div", { class: "legend" }, plate);
    page.details = element("div", { class: "details" }, board);
    element("p", { class: "quiet" }, app, "Point at a well, tap it, or use the arrow keys. A click " +
      "keeps a well. Another experiment shows the kept well's siRNA where it stands there.");
    page.ranges = data.channels.map((_, k) => rangeOf(data, k));
    return page;
  }

  /* In JupyterLab the script may run just before its output is in the page. */
  function startAll(tries) {
    const waiting = document.querySelectorAll(".plate-explorer:not([data-ready])");
    waiting.forEach(start);
    if (!waiting.length && tries) requestAnimationFrame(() => startAll(tries - 1));
  }

  startAll(20);
})();
