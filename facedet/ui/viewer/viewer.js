// One picture, large, with its boxes. The picture and its boxes are one SVG in the picture's own
// pixels, and looking closer is a smaller viewBox. Names are strangers' words: textContent only.

const SVG = "http://www.w3.org/2000/svg";
const viewers = new WeakMap(); // parentElement -> Viewer
const KINDS = ["label", "found", "second", "weak", "ignored"];
const MOST_ZOOM = 16;
const TAG_PX = 17;

export default function (component) {
  let viewer = viewers.get(component.parentElement);
  if (!viewer) {
    viewer = new Viewer(component.parentElement);
    viewers.set(component.parentElement, viewer);
  }
  viewer.update(component);
  return () => {
    viewer.close();
    viewers.delete(component.parentElement);
  };
}

class Viewer {
  constructor(parent) {
    this.root = make("div", "viewer");
    this.stage = make("div", "stage");
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "group");
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("role", "img");
    this.message = make("p", "message");
    this.stage.append(this.svg, this.message);
    this.bar = make("div", "bar");
    this.legend = make("div", "legend");
    this.root.append(this.stage, this.legend, this.bar);
    parent.append(this.root);
    this.pointers = new Map();
    this.showBoxes = true;
    this.listen();
    this.resized = new ResizeObserver(() => this.look());
    this.resized.observe(this.stage);
  }

  close() {
    this.resized.disconnect();
    this.root.remove();
  }

  listen() {
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.stage.addEventListener("dblclick", (event) => {
      if (this.data.src) this.zoom(2, this.at(event));
    });
    this.stage.addEventListener("pointerdown", (event) => {
      this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
      if (this.isZoomed()) this.stage.setPointerCapture(event.pointerId);
    });
    this.stage.addEventListener("pointermove", (event) => this.drag(event));
    for (const end of ["pointerup", "pointercancel"]) {
      this.stage.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    }
  }

  update({ data, setTriggerValue }) {
    this.send = setTriggerValue;
    const isOther = this.data?.id !== data.id;
    this.data = data;
    if (this.wanted === data.at) this.wanted = undefined; // what was asked for is here
    if (isOther) this.view = null;
    this.build();
    this.root.dataset.shown = data.id;
    // What was clicked may lie far away, and the keys are meant for the picture now.
    if (isOther && data.come) {
      this.stage.scrollIntoView({ block: "nearest" });
      this.stage.focus({ preventScroll: true });
    }
  }

  build() {
    const { data } = this;
    this.svg.replaceChildren();
    this.svg.setAttribute("aria-label", data.alt);
    this.svg.style.display = data.src ? "" : "none";
    this.message.textContent = data.src ? "" : data.message;
    this.stage.setAttribute("aria-label", data.texts.stage);
    if (data.src) {
      const image = element("image", { x: 0, y: 0, width: data.image_wh[0], height: data.image_wh[1] });
      image.setAttribute("href", data.src);
      image.setAttribute("preserveAspectRatio", "none");
      this.svg.append(image);
      this.boxes = element("g", {});
      this.svg.append(this.boxes);
    }
    this.buildBar();
    this.buildLegend();
    this.look();
  }

  buildBar() {
    const { data } = this;
    const t = data.texts;
    const pressed = (choice) => String(data.choice === choice);
    const tools = [
      tool("←", t.previous, () => this.go(-1), data.at === 0),
      tool("→", t.next, () => this.go(1), data.at === data.n - 1),
      make("span", "place", data.place),
    ];
    const keep = tool(t.keep, t.keep, () => this.decide("keep"));
    const aside = tool(t.aside, t.aside, () => this.decide("set_aside"));
    keep.classList.add("keep");
    aside.classList.add("aside");
    keep.setAttribute("aria-pressed", pressed("keep"));
    aside.setAttribute("aria-pressed", pressed("set_aside"));
    const both = make("span", "both"); // side by side, however narrow the window is
    both.append(keep, aside);
    tools.push(both, tool(t.forget, t.forget, () => this.decide("forget"), !data.choice));
    this.bar.replaceChildren(...tools, make("span", "keys", t.keys));
  }

  buildLegend() {
    const { data } = this;
    const there = new Set(data.boxes.map((box) => box.kind));
    const marks = KINDS.filter((kind) => there.has(kind)).map((kind) =>
      make("span", `mark ${kind}`, data.texts[`legend_${kind}`]),
    );
    const { texts } = data;
    const zooms = make("span", "zooms");
    zooms.hidden = !data.src;
    zooms.append(
      tool("−", texts.zoom_out, () => this.zoom(1 / 1.5)),
      tool("0", texts.fit, () => this.fit()),
      tool("+", texts.zoom_in, () => this.zoom(1.5)),
    );
    this.legend.replaceChildren(...marks, zooms);
  }

  // --- Looking closer

  look() {
    if (!this.data?.src) return;
    const [w, h] = this.data.image_wh;
    this.view ??= { x: 0, y: 0, w, h };
    const { x, y, w: vw, h: vh } = this.view;
    this.svg.setAttribute("viewBox", `${x} ${y} ${vw} ${vh}`);
    this.stage.classList.toggle("zoomed", this.isZoomed());
    this.drawBoxes();
  }

  isZoomed() {
    return Boolean(this.view) && this.view.w < this.data.image_wh[0] * 0.999;
  }

  // Picture pixels in one pixel of the screen.
  grain() {
    const { clientWidth, clientHeight } = this.stage;
    return Math.max(this.view.w / (clientWidth || 1), this.view.h / (clientHeight || 1));
  }

  drawBoxes() {
    const px = this.grain();
    this.boxes.replaceChildren();
    this.boxes.style.display = this.showBoxes ? "" : "none";
    const rank = (box) => -KINDS.indexOf(box.kind); // what matters most comes last, on top
    for (const box of [...this.data.boxes].sort((a, b) => rank(a) - rank(b))) {
      const [x1, y1, x2, y2] = box.xyxy;
      const size = { x: x1, y: y1, width: Math.max(0, x2 - x1), height: Math.max(0, y2 - y1) };
      const group = element("g", { class: box.kind });
      group.append(element("rect", { ...size, class: "edge" }), element("rect", { ...size, class: "line" }));
      this.tag(group, box, px);
      this.boxes.append(group);
    }
  }

  // A label's words stand below its box, all others above, so that neither covers the other.
  tag(group, box, px) {
    const [x1, y1, , y2] = box.xyxy;
    const isLabel = box.kind === "label" || box.kind === "ignored";
    const top = isLabel ? Math.min(y2, this.view.y + this.view.h - TAG_PX * px) : Math.max(this.view.y, y1 - TAG_PX * px);
    const width = (8 + 7 * box.text.length) * px;
    const ground = element("rect", { x: x1, y: top, width, height: TAG_PX * px, class: "ground" });
    const words = element("text", { x: x1 + 4 * px, y: top + 12.5 * px, "font-size": 12 * px });
    words.textContent = box.text;
    group.append(ground, words);
  }

  // Where in the view, in parts of its sides: the picture does not fill the stage.
  at(event) {
    const point = new DOMPoint(event.clientX, event.clientY);
    const { x, y } = point.matrixTransform(this.svg.getScreenCTM().inverse());
    return [(x - this.view.x) / this.view.w, (y - this.view.y) / this.view.h];
  }

  // Keeps the point of the picture under `at` (parts of the stage) where it is.
  zoom(factor, at = [0.5, 0.5]) {
    if (!this.data?.src) return;
    const [w, h] = this.data.image_wh;
    const scale = Math.min(1, Math.max(1 / MOST_ZOOM, this.view.w / w / factor));
    const px = this.view.x + at[0] * this.view.w;
    const py = this.view.y + at[1] * this.view.h;
    this.set({ x: px - at[0] * w * scale, y: py - at[1] * h * scale, w: w * scale, h: h * scale });
  }

  set(view) {
    const [w, h] = this.data.image_wh;
    this.view = {
      ...view,
      x: Math.min(w - view.w, Math.max(0, view.x)),
      y: Math.min(h - view.h, Math.max(0, view.y)),
    };
    this.look();
  }

  fit() {
    this.view = null;
    this.look();
  }

  // A plain wheel scrolls the page, as everywhere; with Ctrl (a pinch on a touchpad) it zooms.
  wheel(event) {
    if (!this.data.src || (!event.ctrlKey && !event.metaKey)) return;
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY / 200), this.at(event));
  }

  drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before || !this.isZoomed()) return;
    const px = this.grain();
    this.set({
      ...this.view,
      x: this.view.x - (event.clientX - before[0]) * px,
      y: this.view.y - (event.clientY - before[1]) * px,
    });
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
  }

  // --- Going on, and deciding

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { data } = this;
    const decide = (choice) => () => this.decide(choice);
    const action = {
      ArrowLeft: () => this.go(-1),
      ArrowRight: () => this.go(1),
      k: decide("keep"),
      a: decide("set_aside"),
      u: decide("forget"),
      b: () => this.toggleBoxes(),
      0: () => this.fit(),
      "+": () => this.zoom(1.5),
      "-": () => this.zoom(1 / 1.5),
    }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  // Quick keys run ahead of the server: the place that is wanted is kept here, and sent whole.
  go(by) {
    const from = this.wanted ?? this.data.at;
    const at = Math.min(this.data.n - 1, Math.max(0, from + by));
    if (at === from) return;
    this.wanted = at;
    this.stage.focus({ preventScroll: true }); // the button that was clicked will be another one
    this.send("go", at);
  }

  decide(choice) {
    if (this.wanted !== undefined) return; // it is not this picture that is meant
    this.stage.focus({ preventScroll: true });
    this.send("decide", { id: this.data.id, choice });
  }

  toggleBoxes() {
    this.showBoxes = !this.showBoxes;
    this.look();
  }
}

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function element(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function tool(text, label, onClick, disabled = false) {
  const button = make("button", "tool", text);
  Object.assign(button, { type: "button", title: label, disabled });
  button.setAttribute("aria-label", label);
  button.addEventListener("click", onClick);
  return button;
}
