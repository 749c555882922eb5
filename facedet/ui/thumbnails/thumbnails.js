// A grid of pictures to click: examples, and the photos of a batch. Each is a button with a name.

export default function ({ parentElement, data, setTriggerValue }) {
  let grid = parentElement.querySelector(".thumbnails");
  if (!grid) {
    grid = document.createElement("div");
    grid.className = "thumbnails";
    parentElement.append(grid);
  }
  grid.setAttribute("role", "group");
  grid.setAttribute("aria-label", data.label);
  grid.style.setProperty("--tile", `${data.tile_px}px`);
  grid.replaceChildren(...data.items.map((item) => tile(item, data, setTriggerValue)));
}

function tile(item, data, setTriggerValue) {
  const button = document.createElement("button");
  button.type = "button";
  button.title = item.title;
  button.setAttribute("aria-pressed", String(item.id === data.selected));
  button.addEventListener("click", () => setTriggerValue("picked", item.id));
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
