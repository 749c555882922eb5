// Draws one pane of the box canvas: the photo, the boxes on it, their scores.
// Each light line stands on a dark one, so that it shows on any photo.

const DETECTION = "#56B4E9"; // Okabe-Ito sky blue: "a detector says face", everywhere in the lab
const EDGE = "#10181C";
const TAG_MIN_PX = 26; // narrower boxes carry their score only while pointed at
const TAGS_MAX = 60; // and so do all where they would cover each other

function paintPane(context, pane, state, image, stageWh, colours) {
  const ratio = window.devicePixelRatio || 1;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = colours.ground;
  context.fillRect(0, 0, ...stageWh);
  if (!image) return;
  const { view } = state;
  context.imageSmoothingEnabled = view.scale < 4; // far in, pixels are what one looks for
  const [w, h] = state.imageWh;
  context.drawImage(image, view.dx, view.dy, w * view.scale, h * view.scale);
  if (!state.showBoxes) return;
  const shown = pane.shownIndices();
  const withTags = shown.length <= TAGS_MAX;
  // The one pointed at comes last, over the others.
  const order = shown.filter((i) => i !== pane.active);
  if (pane.isShown(pane.active)) order.push(pane.active);
  for (const index of order) paintBox(context, pane, index, view, withTags);
}

function paintBox(context, pane, index, view, withTags) {
  const [x1, y1, x2, y2] = boxOnStage(view, pane.boxes[index]);
  const active = index === pane.active;
  const width = active ? 4 : 2;
  if (pane.chosen.has(index)) {
    context.fillStyle = "rgba(86, 180, 233, 0.35)";
    context.fillRect(x1, y1, x2 - x1, y2 - y1);
  }
  context.setLineDash([]);
  context.strokeStyle = EDGE;
  context.lineWidth = width + 2;
  context.strokeRect(x1, y1, x2 - x1, y2 - y1);
  context.setLineDash(pane.isAlone(index) ? [7, 5] : []);
  context.strokeStyle = DETECTION;
  context.lineWidth = width;
  context.strokeRect(x1, y1, x2 - x1, y2 - y1);
  context.setLineDash([]);
  if (active || (withTags && x2 - x1 >= TAG_MIN_PX)) {
    const mark = pane.chosen.has(index) ? "✓ " : "";
    paintTag(context, mark + pane.boxes[index][4].toFixed(2), x1, y1);
  }
}

function paintTag(context, text, x, y) {
  context.font = "600 12px sans-serif";
  const width = context.measureText(text).width + 8;
  const top = Math.max(0, y - 18);
  context.fillStyle = EDGE;
  context.fillRect(x - 2, top - 1, width + 2, 19);
  context.fillStyle = DETECTION;
  context.fillRect(x - 1, top, width, 17);
  context.fillStyle = EDGE;
  context.textBaseline = "middle";
  context.fillText(text, x + 3, top + 9);
}
