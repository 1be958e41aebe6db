// The page: what is asked for, what is shown of a track, and what the pointer does.

const data = JSON.parse(document.getElementById("data").textContent);
const n = data.titles.length;
const points = floats(data.points, data.dims);
const element = (id) => document.getElementById(id);
const [canvas, overlay, panel, tip] = ["points", "overlay", "panel", "tip"].map(element);
const view = makeView(points, data.dims);
const painter = makePainter(canvas, points, data.dims);
const texts = data.titles.map((title, k) =>
  [title, data.artists[data.artist[k]], data.albums[data.album[k]], data.genres[data.genre[k]],
    data.groups[data.group[k]], data.paths[k]].filter(Boolean).join("\n").toLowerCase().normalize("NFKD").replace(/\p{M}/gu, ""));
const state = { colouring: null, wanted: new Set(), words: [], hovered: -1, selected: -1, isDark: true };
const weights = new Float32Array(n);
const colours = new Float32Array(3 * n);

function floats(text, dims) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const given = new DataView(bytes.buffer);
  const result = new Float32Array(3 * n);
  for (let k = 0; k < n; k++) {
    for (let axis = 0; axis < dims; axis++) result[3 * k + axis] = given.getFloat32(4 * (dims * k + axis), true);
  }
  return result;
}

// What is drawn

let isWaiting = false;
function repaint() {
  if (isWaiting) return;
  isWaiting = true;
  requestAnimationFrame(() => {
    isWaiting = false;
    painter.paint(view, radius(), ratio());
    paintOverlay();
  });
}
const ratio = () => Math.min(2, window.devicePixelRatio || 1);
const radius = () => Math.min(9, Math.max(1.7, Math.min(6, 22 / n ** 0.25)) * Math.max(1, view.zoom) ** 0.3);

function recolour() {
  for (let k = 0; k < n; k++) {
    colours.set(readable(state.colouring.colour(k), state.isDark), 3 * k);
    weights[k] = isWanted(k) ? 1 : 0;
  }
  painter.colour(colours, weights);
  repaint();
}

function isWanted(k) {
  if (state.wanted.size && !state.wanted.has(state.colouring.of(k))) return false;
  return state.words.every((word) => texts[k].includes(word));
}

function paintOverlay() {
  const context = overlay.getContext("2d");
  context.setTransform(ratio(), 0, 0, ratio(), 0, 0);
  context.clearRect(0, 0, view.width, view.height);
  paintNames(context);
  for (const [k, width] of [[state.selected, 3], [state.hovered, 1.5]]) {
    if (k < 0) continue;
    const [x, y, near] = view.project(k);
    context.beginPath();
    context.arc(x, y, Math.max(6, radius() * near + 3), 0, 7);
    context.lineWidth = width;
    context.strokeStyle = state.isDark ? "#fff" : "#111";
    context.stroke();
  }
}

function paintNames(context) {
  const page = getComputedStyle(document.body);
  context.font = `600 13px ${page.fontFamily}`;
  context.textAlign = "center";
  context.lineJoin = "round";
  const taken = [];
  for (const { name, middle, colour } of state.names) {
    const [x, y] = view.projectPoint(...middle);
    const half = context.measureText(name).width / 2;
    if (taken.some(([tx, ty, th]) => Math.abs(tx - x) < th + half + 8 && Math.abs(ty - y) < 18)) continue;
    taken.push([x, y, half]);
    context.lineWidth = 4;
    context.strokeStyle = page.backgroundColor;
    context.strokeText(name, x, y);
    context.fillStyle = css(readable(colour, state.isDark));
    context.fillText(name, x, y);
  }
}

// A name stands where most of its tracks are, if that is at least a third of them.
// With few tracks it would only cover them.
function namesOf(colouring) {
  if (n < 200) return [];
  return colouring.categories.flatMap(({ name, colour, n: count }, index) => {
    if (colour === GREY || count < n / 100) return [];
    const cells = new Map();
    for (let k = 0; k < n; k++) {
      if (colouring.of(k) !== index) continue;
      const cell = [0, 1, 2].map((axis) => Math.round(4 * points[3 * k + axis])).join();
      if (!cells.has(cell)) cells.set(cell, []);
      cells.get(cell).push(k);
    }
    const fullest = [...cells.values()].reduce((a, b) => (b.length > a.length ? b : a));
    const middle = [0, 1, 2].map((axis) => median(fullest.map((k) => points[3 * k + axis])));
    let near = 0;
    for (let k = 0; k < n; k++) {
      const away = Math.hypot(...middle.map((m, axis) => points[3 * k + axis] - m));
      if (away < 0.35 && colouring.of(k) === index) near++;
    }
    return near >= count / 3 ? [{ name, colour, middle }] : [];
  });
}

function median(values) {
  return values.sort((a, b) => a - b)[values.length >> 1];
}

// Colours and the legend

function colourBy(kind) {
  state.colouring = makeColouring(kind, data);
  state.names = namesOf(state.colouring);
  state.wanted.clear();
  for (const button of element("kinds").children) button.setAttribute("aria-pressed", button.value === kind);
  showLegend();
  recolour();
}

function showLegend() {
  const legend = element("legend");
  legend.replaceChildren();
  if (state.colouring.kind === "tempo") {
    const [low, high] = TEMPOS_BPM;
    legend.append(make("span", "faint", `${low} BPM`), make("span", "scale"), make("span", "faint", `${high}`));
    return;
  }
  state.colouring.categories.forEach((category, index) => {
    const chip = make("button", "chip");
    const dot = make("span", "dot");
    dot.style.background = css(readable(category.colour, state.isDark));
    chip.append(dot, make("span", "", category.name), make("span", "faint", String(category.n)));
    chip.setAttribute("aria-pressed", state.wanted.has(index));
    chip.addEventListener("click", () => {
      if (!state.wanted.delete(index)) state.wanted.add(index);
      chip.setAttribute("aria-pressed", state.wanted.has(index));
      recolour();
    });
    legend.append(chip);
  });
}

// Everything that comes from files is set as text, never as HTML.
function make(tag, className, text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

// What is said of a track

function facts(k) {
  const genre = data.genre[k] < 0 ? "" : `${data.genres[data.genre[k]]} ${data.share[k]}%`;
  return [genre, data.tempo[k] ? `${Math.round(data.tempo[k])} BPM` : ""].filter(Boolean);
}
const artistOf = (k) => data.artists[data.artist[k]] || "";

function showTip(k, x, y) {
  tip.hidden = k < 0;
  if (k < 0) return;
  tip.replaceChildren(make("b", "", data.titles[k]),
    make("span", "", [artistOf(k), ...facts(k)].filter(Boolean).join(" · ")));
  if (data.group[k] >= 0) tip.append(make("span", "faint", data.groups[data.group[k]]));
  tip.style.left = `${Math.min(x + 14, view.width - tip.offsetWidth - 6)}px`;
  tip.style.top = `${y + 18 + tip.offsetHeight > view.height ? y - tip.offsetHeight - 10 : y + 18}px`;
}

function select(k, isFlown) {
  state.selected = k;
  if (k < 0) return showList();
  const parts = [make("h2", "", data.titles[k])];
  const [artist, album] = [artistOf(k), data.albums[data.album[k]]];
  if (artist || album) parts.push(make("p", "", [artist, album].filter(Boolean).join(" — ")));
  parts.push(make("p", "faint", [...facts(k), clock(data.duration[k])].join(" · ")));
  if (data.group[k] >= 0) parts.push(make("p", "faint", `Group: ${data.groups[data.group[k]]}`));
  parts.push(make("p", "path faint", data.paths[k]), make("h3", "", "Near it on the map"), listOf(nearest(k, 15)));
  fill(parts);
  if (isFlown) flyTo(k);
  repaint();
}

function clock(seconds) {
  const [minutes, rest] = [Math.floor(seconds / 60), Math.round(seconds) % 60];
  return `${minutes}:${String(rest).padStart(2, "0")}`;
}

function nearest(k, count) {
  const away = (j) => Math.hypot(...[0, 1, 2].map((axis) => points[3 * j + axis] - points[3 * k + axis]));
  const far = Float64Array.from({ length: n }, (_, j) => (j === k ? Infinity : away(j)));
  return Array.from(far.keys()).sort((a, b) => far[a] - far[b]).slice(0, Math.min(count, n - 1));
}

function listOf(rows) {
  const list = make("ol", "tracks");
  for (const k of rows) {
    const [item, button] = [make("li", ""), make("button", "track")];
    const dot = make("span", "dot");
    dot.style.background = css(readable(state.colouring.colour(k), state.isDark));
    button.append(dot, make("b", "", data.titles[k]), make("span", "faint", artistOf(k)));
    button.addEventListener("click", () => select(k, true));
    button.addEventListener("pointerenter", () => hover(k));
    item.append(button);
    list.append(item);
  }
  return list;
}

// The tracks that are searched for, where none is selected.
function showList() {
  if (!state.words.length) fill([]);
  else {
    const rows = found();
    const shown = rows.slice(0, 100);
    const more = rows.length > shown.length ? `, the first ${shown.length}` : "";
    fill([make("h3", "", `${rows.length} of ${n} tracks${more}`), listOf(shown)]);
  }
  repaint();
}

const found = () => texts.flatMap((text, k) => (isWanted(k) ? [k] : []));

function fill(parts) {
  const close = make("button", "close", "×");
  close.setAttribute("aria-label", "Close");
  close.addEventListener("click", clear);
  panel.replaceChildren(...(parts.length ? [close, ...parts] : []));
  panel.hidden = !parts.length;
  panel.scrollTop = 0;
  resize();
}

function clear() {
  element("search").value = "";
  state.words = [];
  select(-1);
  recolour();
}

function hover(k) {
  if (state.hovered === k) return;
  state.hovered = k;
  repaint();
}

function flyTo(k) {
  const [from, to] = [[...view.centre, view.zoom], [...points.slice(3 * k, 3 * k + 3), Math.max(view.zoom, Math.min(6, n / 150))]];
  const start = performance.now();
  const duration_ms = matchMedia("(prefers-reduced-motion: reduce)").matches ? 1 : 400;
  const step = (time) => {
    const t = Math.max(0, Math.min(1, (time - start) / duration_ms));
    const eased = t * t * (3 - 2 * t);
    const at = from.map((value, i) => value + eased * (to[i] - value));
    [view.centre, view.zoom] = [at.slice(0, 3), at[3]];
    repaint();
    if (t < 1) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}
