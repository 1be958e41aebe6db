// What the points are coloured by: a group or a genre each has a colour, a tempo lies on a scale.

const GREY = "#8a93a0";
const MOST_NAMED = 14; // more colours nobody tells apart: what is rarer is "other"
// From slow to fast: viridis (Smith & van der Walt 2015), without its darkest end.
const SCALE = ["#414487", "#2a788e", "#22a884", "#7ad151", "#fde725"];
const TEMPOS_BPM = [60, 180];

// By which a track is looked up: its category, or -1; and what each category is called and has for a colour.
function makeColouring(kind, data) {
  if (kind === "tempo") return { kind, categories: [], of: () => -1, colour: (k) => tempoColour(data.tempo[k]) };
  const [names, colours, indexes] = kind === "group"
    ? [data.groups, data.groupColours, data.group]
    : [data.genres, data.genreColours, data.genre];
  const counts = new Array(names.length).fill(0);
  let n_without = 0;
  for (const index of indexes) index < 0 ? n_without++ : counts[index]++;
  const order = names.map((_, k) => k).filter((k) => counts[k]).sort((a, b) => counts[b] - counts[a]);
  const categories = order.slice(0, MOST_NAMED).map((k) => ({ name: names[k], colour: colours[k], n: counts[k] }));
  const place = new Array(names.length).fill(-1);
  order.forEach((k, rank) => (place[k] = Math.min(rank, MOST_NAMED)));
  const rest = n_without + order.slice(MOST_NAMED).reduce((sum, k) => sum + counts[k], 0);
  if (rest) categories.push({ name: order.length > MOST_NAMED ? "other" : `no ${kind}`, colour: GREY, n: rest });
  const of = (k) => (indexes[k] < 0 ? categories.length - 1 : place[indexes[k]]);
  return { kind, categories, of, colour: (k) => categories[of(k)].colour };
}

function tempoColour(bpm) {
  if (!bpm) return GREY;
  const [low, high] = TEMPOS_BPM;
  const place = Math.max(0, Math.min(0.9999, (bpm - low) / (high - low))) * (SCALE.length - 1);
  const [a, b] = [rgb(SCALE[Math.floor(place)]), rgb(SCALE[Math.floor(place) + 1])];
  return a.map((v, c) => v + (b[c] - v) * (place % 1));
}

function rgb(colour) {
  if (Array.isArray(colour)) return colour;
  return [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16) / 255);
}

// The same hue, light enough for a dark page or dark enough for a light one (WCAG's luminance).
function readable(colour, isDark) {
  let shade = rgb(colour);
  const towards = isDark ? 1 : 0;
  const enough = (l) => (isDark ? l >= 0.2 : l <= 0.45);
  for (let step = 0; step < 12 && !enough(luminance(shade)); step++) {
    shade = shade.map((v) => v + 0.12 * (towards - v));
  }
  return shade;
}

function luminance(shade) {
  const [r, g, b] = shade.map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function css(shade) {
  return `rgb(${shade.map((v) => Math.round(255 * v)).join(" ")})`;
}
