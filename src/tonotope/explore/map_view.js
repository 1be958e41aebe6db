// The camera: from the map's coordinates to the page's pixels and back.
// A map with two axes is looked at from straight above; one with three is turned.

const FAR = 4; // from where a map with three axes is seen, in units of the map

function makeView(points, dims) {
  const boxes = [0, 1, 2].map((axis) => boxOf(points, axis));
  const half = boxes.map(([low, high]) => Math.max(1e-3, (high - low) / 2));
  const middle = boxes.map(([low, high]) => (low + high) / 2);
  const view = { centre: [...middle], zoom: 1, yaw: 0.6, pitch: 0.4, width: 1, height: 1 };

  view.fit = () => Object.assign(view, { centre: [...middle], zoom: 1 });

  view.rotation = () => {
    if (dims === 2) return [1, 0, 0, 0, 1, 0, 0, 0, 1];
    const [cy, sy, cp, sp] = [Math.cos(view.yaw), Math.sin(view.yaw), Math.cos(view.pitch), Math.sin(view.pitch)];
    return [cy, 0, sy, sp * sy, cp, -sp * cy, -cp * sy, sp, cp * cy];
  };

  view.scale = () => {
    const fitting = dims === 2
      ? Math.min(view.width / (2 * half[0]), view.height / (2 * half[1]), view.width)
      : Math.min(view.width, view.height) / (2 * Math.hypot(...half));
    return fitting * (dims === 2 ? 0.92 : 1.25) * view.zoom;
  };

  // To pixels from the left and the top, and by how much larger than in the middle it looks.
  view.projectPoint = (px, py, pz, rotation = view.rotation(), scale = view.scale()) => {
    const [x, y, z] = [px - view.centre[0], py - view.centre[1], pz - view.centre[2]];
    const depth = rotation[6] * x + rotation[7] * y + rotation[8] * z;
    const near = dims === 2 ? 1 : 1 / Math.max(0.1, 1 - depth / FAR);
    return [
      view.width / 2 + (rotation[0] * x + rotation[1] * y + rotation[2] * z) * scale * near,
      view.height / 2 - (rotation[3] * x + rotation[4] * y + rotation[5] * z) * scale * near,
      near,
    ];
  };
  view.project = (index, rotation, scale) =>
    view.projectPoint(points[3 * index], points[3 * index + 1], points[3 * index + 2], rotation, scale);

  view.pan = (dx, dy) => {
    const [r, scale] = [view.rotation(), view.scale()];
    for (let axis = 0; axis < 3; axis++) view.centre[axis] -= (r[axis] * dx - r[3 + axis] * dy) / scale;
  };

  view.turn = (dx, dy) => {
    view.yaw += dx * 0.008;
    view.pitch = Math.max(-1.5, Math.min(1.5, view.pitch + dy * 0.008));
  };

  view.zoomAt = (factor, x, y) => {
    const zoom = Math.max(0.4, Math.min(400, view.zoom * factor));
    const [dx, dy] = [x - view.width / 2, y - view.height / 2];
    view.pan(-dx, -dy);
    view.zoom = zoom;
    view.pan(dx, dy);
  };

  // The nearest of the tracks that may be picked, within a radius in pixels; -1 if there is none.
  view.pick = (x, y, radius, mayPick) => {
    const [r, scale, [cx, cy, cz]] = [view.rotation(), view.scale(), view.centre];
    const [left, up] = [x - view.width / 2, view.height / 2 - y];
    let [found, least] = [-1, radius * radius];
    // As `project` does it, without an array for each point: this runs at every move.
    for (let k = 0; k < points.length; k += 3) {
      const px = points[k] - cx;
      const py = points[k + 1] - cy;
      const pz = points[k + 2] - cz;
      const factor = dims === 2 ? scale : scale / Math.max(0.1, 1 - (r[6] * px + r[7] * py + r[8] * pz) / FAR);
      const dx = (r[0] * px + r[1] * py + r[2] * pz) * factor - left;
      const dy = (r[3] * px + r[4] * py + r[5] * pz) * factor - up;
      const squared = dx * dx + dy * dy;
      if (squared < least && mayPick(k / 3)) [found, least] = [k / 3, squared];
    }
    return found;
  };
  return view;
}

function boxOf(points, axis) {
  let [low, high] = [Infinity, -Infinity];
  for (let k = axis; k < points.length; k += 3) {
    low = Math.min(low, points[k]);
    high = Math.max(high, points[k]);
  }
  return [low, high];
}
