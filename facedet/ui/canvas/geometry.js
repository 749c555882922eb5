// The arithmetic of looking at a photo: plain functions, no DOM.
// A view maps photo pixels to stage pixels: stage = photo * scale + (dx, dy).

const MAX_SCALE = 16; // stage pixels a photo pixel; beyond that one sees squares only

function fitView([imageW, imageH], [stageW, stageH]) {
  const scale = Math.min(stageW / imageW, stageH / imageH);
  return { scale, dx: (stageW - imageW * scale) / 2, dy: (stageH - imageH * scale) / 2 };
}

// Zoom so that the photo pixel under `point` stays under it.
function zoomAt(view, factor, [x, y], imageWh, stageWh) {
  const smallest = fitView(imageWh, stageWh).scale;
  const largest = Math.max(MAX_SCALE, smallest);
  const scale = Math.min(largest, Math.max(smallest, view.scale * factor));
  const ratio = scale / view.scale;
  return { scale, dx: x - (x - view.dx) * ratio, dy: y - (y - view.dy) * ratio };
}

// No panning into the void: a photo smaller than the stage is centred, a larger one covers it.
function keepInside(view, [imageW, imageH], [stageW, stageH]) {
  const along = (offset, image, stage) =>
    image <= stage ? (stage - image) / 2 : Math.min(0, Math.max(stage - image, offset));
  return {
    scale: view.scale,
    dx: along(view.dx, imageW * view.scale, stageW),
    dy: along(view.dy, imageH * view.scale, stageH),
  };
}

// The view that shows one box large, with its surroundings.
function viewOfBox([x1, y1, x2, y2], imageWh, stageWh) {
  const wanted = Math.min(stageWh[0] / (1.8 * (x2 - x1 + 1)), stageWh[1] / (1.8 * (y2 - y1 + 1)));
  const scale = Math.min(MAX_SCALE, Math.max(fitView(imageWh, stageWh).scale, wanted));
  const view = {
    scale,
    dx: stageWh[0] / 2 - ((x1 + x2) / 2) * scale,
    dy: stageWh[1] / 2 - ((y1 + y2) / 2) * scale,
  };
  return keepInside(view, imageWh, stageWh);
}

function boxOnStage(view, [x1, y1, x2, y2]) {
  return [
    x1 * view.scale + view.dx,
    y1 * view.scale + view.dy,
    x2 * view.scale + view.dx,
    y2 * view.scale + view.dy,
  ];
}

// Index of the smallest box under the point (a face within a larger box can be reached), or -1.
function boxAt(boxes, view, [x, y], isShown) {
  const px = (x - view.dx) / view.scale;
  const py = (y - view.dy) / view.scale;
  let best = -1;
  let bestArea = Infinity;
  boxes.forEach(([x1, y1, x2, y2], index) => {
    const area = (x2 - x1) * (y2 - y1);
    const inside = px >= x1 && px < x2 && py >= y1 && py < y2;
    if (inside && area < bestArea && isShown(index)) {
      best = index;
      bestArea = area;
    }
  });
  return best;
}
