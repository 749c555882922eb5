// A grid of pictures to click: examples, and the photos of a batch. Each is a button with a name.
// Tiles that stay the same stay in place, so that the keyboard's focus does too.

const tilesOf = new WeakMap(); // grid -> Map of id -> { content, button }

export default function ({ parentElement, data, setTriggerValue }) {
  let grid = parentElement.querySelector(".thumbnails");
  if (!grid) {
    grid = document.createElement("div");
    grid.className = "thumbnails";
    parentElement.append(grid);
    tilesOf.set(grid, new Map());
  }
  grid.setAttribute("role", "group");
  grid.setAttribute("aria-label", data.label);
  grid.style.setProperty("--tile", `${data.tile_px}px`);
  const before = tilesOf.get(grid);
  const now = new Map(data.items.map((item) => [item.id, keepOrMake(item, data, before)]));
  tilesOf.set(grid, now);
  const buttons = [...now.values()].map((tile) => tile.button);
  for (const [index, button] of buttons.entries()) {
    button.onclick = () => setTriggerValue("picked", data.items[index].id);
    button.setAttribute("aria-pressed", String(data.items[index].id === data.selected));
    if (grid.children[index] !== button) grid.insertBefore(button, grid.children[index] || null);
  }
  while (grid.children.length > buttons.length) grid.lastChild.remove();
}

function keepOrMake(item, data, before) {
  const content = JSON.stringify([item, data.captions]);
  const old = before.get(item.id);
  return old?.content === content ? old : { content, button: tile(item, data) };
}

function tile(item, data) {
  const button = document.createElement("button");
  button.type = "button";
  button.title = item.title;
  if (item.src) {
    const picture = document.createElement("img");
    picture.src = item.src;
    picture.alt = data.captions ? "" : item.title;
    picture.loading = "lazy";
    button.append(picture);
  } else {
    button.classList.add("broken");
    button.append(text("span", "⚠"));
  }
  if (data.captions) button.append(text("small", item.title));
  if (item.badge) button.append(text("b", item.badge));
  return button;
}

function text(tag, content) {
  const element = document.createElement(tag);
  element.textContent = content;
  return element;
}
