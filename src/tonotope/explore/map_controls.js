// What the pointer, the keys and the window do; and the beginning.

const pointers = new Map();
let moved = 0;
overlay.addEventListener("pointerdown", (event) => {
  overlay.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
  if (pointers.size === 1) moved = 0;
  showTip(-1);
});
overlay.addEventListener("pointermove", (event) => {
  const at = [event.offsetX, event.offsetY];
  const before = pointers.get(event.pointerId);
  if (!before) {
    const k = view.pick(...at, 14, (index) => weights[index]);
    hover(k);
    overlay.style.cursor = k < 0 ? "grab" : "pointer";
    return showTip(k, ...at);
  }
  const [dx, dy] = [at[0] - before[0], at[1] - before[1]];
  moved += Math.abs(dx) + Math.abs(dy);
  pointers.set(event.pointerId, at);
  if (pointers.size === 2) pinch(before, at, event.pointerId);
  else if (data.dims === 3 && !event.shiftKey && event.buttons !== 2) view.turn(dx, dy);
  else view.pan(dx, dy);
  repaint();
});
for (const name of ["pointerup", "pointercancel"]) {
  overlay.addEventListener(name, (event) => {
    const wasOne = pointers.size === 1;
    pointers.delete(event.pointerId);
    if (name === "pointerup" && wasOne && moved < 5) {
      const k = view.pick(event.offsetX, event.offsetY, 14, (index) => weights[index]);
      if (k >= 0 || state.selected >= 0) select(k);
    }
  });
}
overlay.addEventListener("pointerleave", () => {
  hover(-1);
  showTip(-1);
});
overlay.addEventListener("contextmenu", (event) => event.preventDefault());
overlay.addEventListener("wheel", (event) => {
  event.preventDefault();
  const pixels = event.deltaY * (event.deltaMode === 1 ? 30 : 1);
  view.zoomAt(Math.exp(-Math.max(-150, Math.min(150, pixels)) * 0.003), event.offsetX, event.offsetY);
  showTip(-1);
  repaint();
}, { passive: false });

function pinch(before, at, id) {
  const [other] = [...pointers].filter(([key]) => key !== id).map(([, place]) => place);
  const distance = (p) => Math.max(1, Math.hypot(p[0] - other[0], p[1] - other[1]));
  view.zoomAt(distance(at) / distance(before), (at[0] + other[0]) / 2, (at[1] + other[1]) / 2);
  view.pan((at[0] - before[0]) / 2, (at[1] - before[1]) / 2);
}

function search() {
  const plain = element("search").value.toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "");
  state.words = plain.split(/\s+/).filter(Boolean);
  state.selected = -1;
  recolour();
  showList();
}
element("search").addEventListener("input", search);
element("search").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !state.words.length) return;
  const rows = found();
  if (rows.length) select(rows[0], true);
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape") clear();
  if (event.target.tagName === "INPUT" || event.ctrlKey || event.metaKey || event.altKey) return;
  const steps = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
  const middle = [view.width / 2, view.height / 2];
  if (event.key === "/") {
    event.preventDefault();
    element("search").focus();
  } else if (event.target === overlay && steps[event.key]) view.pan(...steps[event.key]);
  else if (event.key === "+") view.zoomAt(1.25, ...middle);
  else if (event.key === "-") view.zoomAt(0.8, ...middle);
  else if (event.key === "0") fit();
  repaint();
});

function fit() {
  view.fit();
  repaint();
}
element("fit").addEventListener("click", fit);

function resize() {
  const { width, height } = overlay.getBoundingClientRect();
  Object.assign(view, { width, height });
  for (const each of [canvas, overlay]) {
    each.width = Math.round(width * ratio());
    each.height = Math.round(height * ratio());
  }
  repaint();
}
addEventListener("resize", resize);

function setTheme(isDark) {
  state.isDark = isDark;
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
  if (state.colouring) {
    showLegend();
    recolour();
  }
}
element("theme").addEventListener("click", () => setTheme(!state.isDark));
const prefersLight = matchMedia("(prefers-color-scheme: light)");
prefersLight.addEventListener("change", () => setTheme(!prefersLight.matches));

for (const button of element("kinds").children) button.addEventListener("click", () => colourBy(button.value));
setTheme(!prefersLight.matches);
colourBy(data.groups.length ? "group" : "genre");
resize();
