// A line of text whose fields light up on a picture. Hover, focus and tap do the same.

const SVG = "http://www.w3.org/2000/svg";

export default function ({ parentElement, data }) {
  let root = parentElement.querySelector(".explainer");
  if (!root) {
    root = document.createElement("div");
    root.className = "explainer";
    parentElement.append(root);
  }
  const content = JSON.stringify(data);
  if (root.dataset.content === content) return; // a rerun must not take the focus away
  root.dataset.content = content;
  const line = make("div", "line", "");
  line.setAttribute("role", "group");
  line.setAttribute("aria-label", data.label);
  const meaning = make("p", "meaning", data.hint);
  meaning.setAttribute("role", "status");
  const picture = drawing(data);
  for (const field of data.fields) line.append(button(field, data, { line, meaning, picture }));
  const side = make("div", "side", "");
  side.append(line, meaning);
  root.replaceChildren(picture, side);
}

function button(field, data, parts) {
  const element = make("button", "", "");
  element.type = "button";
  element.append(make("small", "", field.title), make("span", "", field.text));
  element.dataset.field = field.id;
  const light = () => {
    for (const other of parts.line.children) other.toggleAttribute("data-lit", other === element);
    parts.meaning.textContent = `${field.title}: ${field.meaning}`;
    parts.picture.querySelector(".marks").replaceChildren(...marks(field, data));
  };
  for (const event of ["pointerenter", "focus", "click"]) element.addEventListener(event, light);
  return element;
}

function drawing({ src, alt, width, height, box }) {
  const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  svg.setAttribute("aria-label", alt);
  svg.append(
    node("rect", { width, height, class: "ground" }),
    ...(src ? [node("image", { href: src, width, height })] : []),
    ...outlined("rect", rectangle(box), "box"),
    node("g", { class: "marks" }),
  );
  return svg;
}

// What of the picture a field speaks of.
function marks({ id, text }, { width, height, box }) {
  const [x1, y1, x2, y2] = box;
  const [x, y] = [(x1 + x2) / 2, (y1 + y2) / 2];
  const drawn = {
    left: () => measure(0, y, x1, y, text, { width, height }),
    right: () => measure(0, y, x2, y, text, { width, height }),
    top: () => measure(x, 0, x, y1, text, { width, height }),
    bottom: () => measure(x, 0, x, y2, text, { width, height }),
    url: () => outlined("rect", { x: 4, y: 4, width: width - 8, height: height - 8 }, "lit"),
    id: () => tag(8, 26, `№ ${text}`),
    pose: () => [...outlined("rect", rectangle(box), "lit"), ...tag(x1 + 6, y2 - 10, `pose ${text}`)],
    detection_score: () => [...outlined("rect", rectangle(box), "lit"), ...tag(x1 + 6, y1 - 8, text)],
    curation: () => tag(width - 40, 30, text === "1" ? "✓" : "✗"),
  }[id];
  return drawn ? drawn() : [];
}

function measure(x1, y1, x2, y2, text, size) {
  const flat = y1 === y2;
  return [
    ...outlined("line", { x1, y1, x2, y2 }, "lit"),
    ...outlined("line", flat ? { x1: x2, y1: 0, x2, y2: size.height } : { x1: 0, y1: y2, x2: size.width, y2 }, "edge"),
    ...tag(flat ? 8 : x1 + 8, flat ? y1 - 8 : Math.max(22, y2 - 10), `${text} px`),
  ];
}

function tag(x, y, text) {
  const label = node("text", { x, y, class: "tag" });
  label.textContent = text;
  return [label];
}

const rectangle = ([x1, y1, x2, y2]) => ({ x: x1, y: y1, width: x2 - x1, height: y2 - y1 });

// A light line on a dark one shows on any photo.
const outlined = (name, where, kind) => [
  node(name, { ...where, class: `${kind} under` }),
  node(name, { ...where, class: kind }),
];

function node(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function make(name, kind, text) {
  const element = document.createElement(name);
  if (kind) element.className = kind;
  element.textContent = text;
  return element;
}
