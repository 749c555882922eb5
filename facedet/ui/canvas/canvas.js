// The box canvas: a photo with boxes, for one detector or for several side by side.
//
// Thresholds, hovering, zoom, sorting and choosing happen here, in the browser. Python hears of it
// only when something is to be taken away, or when a picture is pasted.
// Every text comes in by `data` and goes out by textContent: names are strangers' words.

const canvases = new WeakMap(); // parentElement -> BoxCanvas

export default function (component) {
  let canvas = canvases.get(component.parentElement);
  if (!canvas) {
    canvas = new BoxCanvas(component.parentElement);
    canvases.set(component.parentElement, canvas);
  }
  canvas.update(component);
  return () => {
    canvas.close();
    canvases.delete(component.parentElement);
  };
}

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function button(className, text, label, onClick) {
  const element = make("button", className, text);
  element.type = "button";
  element.setAttribute("aria-label", label);
  element.title = label;
  element.addEventListener("click", onClick);
  return element;
}

async function inBase64(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let binary = "";
  for (let at = 0; at < bytes.length; at += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(binary);
}

class BoxCanvas {
  constructor(parent) {
    this.root = make("div", "canvas");
    parent.append(this.root);
    this.state = { view: null, imageWh: [1, 1], showBoxes: true };
    this.panes = [];
    this.tableOpen = false;
    this.resized = new ResizeObserver(() => this.resize());
    this.onPaste = (event) => this.paste(event);
    document.addEventListener("paste", this.onPaste);
    this.root.addEventListener("dragover", (event) => event.preventDefault());
    this.root.addEventListener("drop", (event) => {
      event.preventDefault();
      this.take([...event.dataTransfer.files]);
    });
  }

  close() {
    this.resized.disconnect();
    document.removeEventListener("paste", this.onPaste);
    this.root.remove();
  }

  // Called with new data, and again when the theme changes.
  update(component) {
    const { data } = component;
    this.send = component.setTriggerValue;
    const content = JSON.stringify([data.panes, data.image?.key, data.texts, data.empty]);
    if (content !== this.content) {
      this.content = content;
      this.build(data);
    }
    this.colours = { ground: getComputedStyle(this.root).getPropertyValue("--stage-ground") };
    this.resize();
  }

  build(data) {
    const samePhoto = this.data?.image?.key === data.image?.key;
    const before = new Map(this.panes.map((pane) => [pane.name, pane]));
    this.data = data;
    this.texts = data.texts;
    this.plural = new Intl.PluralRules(data.language || "en");
    this.resized.disconnect();
    if (!samePhoto) this.state.view = null;
    this.panes = (data.panes || []).map((pane, k) => {
      const old = before.get(pane.name);
      return new Pane(this, pane, k, old?.threshold, samePhoto ? old?.chosen : undefined);
    });
    if (data.image) this.buildPhoto(data, samePhoto);
    else this.root.replaceChildren(this.emptyStage(data.empty));
  }

  buildPhoto(data, samePhoto) {
    this.state.imageWh = [data.image.width, data.image.height];
    this.root.style.setProperty("--photo-ratio", data.image.width / data.image.height);
    this.live = make("div", "sr-only");
    this.live.setAttribute("aria-live", "polite");
    const row = make("div", "panes");
    row.append(...this.panes.map((pane) => pane.root));
    this.summary = make("p", "summary");
    this.summary.hidden = this.panes.length < 2;
    const tables = this.panes.map((pane) => pane.table);
    this.root.replaceChildren(row, this.toolbar(), this.summary, this.live, ...tables);
    this.panes.forEach((pane) => this.resized.observe(pane.stage));
    if (!samePhoto || !this.photo) this.loadPhoto(data.image.src);
    this.refresh();
  }

  loadPhoto(src) {
    this.photo = null; // the new boxes must not stand on the old photo, not even for a moment
    delete this.root.dataset.ready;
    const photo = new Image();
    photo.onload = () => {
      if (this.data.image?.src !== src) return;
      this.photo = photo;
      this.draw();
      this.panes[0].stage.scrollIntoView({ block: "nearest" }); // on a phone it may lie above
      this.root.dataset.ready = this.data.image.key;
    };
    photo.src = src;
  }

  emptyStage(empty) {
    const stage = make("div", "stage empty");
    stage.append(make("strong", "", empty?.title), make("span", "", empty?.text));
    return stage;
  }

  toolbar() {
    const t = this.texts;
    const bar = make("div", "toolbar");
    const zoom = (factor) => () => this.zoom(factor, this.centre());
    this.boxesButton = button("tool", t.boxes, t.boxes_label, () => this.toggleBoxes());
    bar.append(
      button("tool", "−", t.zoom_out, zoom(1 / 1.5)),
      button("tool", t.fit, t.fit_label, () => this.fit()),
      button("tool", "+", t.zoom_in, zoom(1.5)),
      this.boxesButton,
      make("span", "keys", t.keys),
    );
    if (this.panes.length === 1) bar.append(this.takeAwayButton(this.panes[0]));
    this.boxesButton.setAttribute("aria-pressed", String(this.state.showBoxes));
    return bar;
  }

  takeAwayButton(pane) {
    const text = this.texts.take_away;
    return button("primary", text, text, () =>
      this.send("take_away", {
        photo: this.data.image.key,
        model: pane.name,
        min_score: pane.threshold,
        chosen: [...pane.chosen].filter((index) => pane.isShown(index)),
      }),
    );
  }

  stageWh() {
    const { clientWidth, clientHeight } = this.panes[0].stage;
    return [clientWidth || 1, clientHeight || 1];
  }

  centre() {
    return this.stageWh().map((side) => side / 2);
  }

  resize() {
    if (!this.data?.image) return;
    const wasFitted = !this.state.view || this.isFitted();
    this.lastStageWh = this.stageWh();
    this.panes.forEach((pane) => pane.resize());
    if (wasFitted) this.fit();
    else this.setView(this.state.view);
  }

  isFitted() {
    if (!this.lastStageWh) return true;
    return this.state.view.scale <= fitView(this.state.imageWh, this.lastStageWh).scale * 1.001;
  }

  fit() {
    this.setView(fitView(this.state.imageWh, this.stageWh()));
  }

  zoom(factor, point) {
    const { view, imageWh } = this.state;
    this.setView(zoomAt(view, factor, point, imageWh, this.stageWh()));
  }

  setView(view) {
    this.state.view = keepInside(view, this.state.imageWh, this.stageWh());
    const fitted = this.isFitted();
    for (const pane of this.panes) {
      pane.stage.classList.toggle("zoomed", !fitted);
      pane.stage.dataset.view = JSON.stringify(this.state.view);
    }
    this.draw();
  }

  toggleBoxes() {
    this.state.showBoxes = !this.state.showBoxes;
    this.boxesButton.setAttribute("aria-pressed", String(this.state.showBoxes));
    this.draw();
  }

  // Once a frame at most, however many events ask for it.
  draw() {
    if (this.frame || !this.data?.image) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      if (!this.state.view || !this.data?.image) return;
      const stageWh = this.stageWh();
      for (const pane of this.panes) {
        paintPane(pane.context, pane, this.state, this.photo, stageWh, this.colours);
      }
    });
  }

  // After a threshold moved: counts, tables, texts, picture.
  refresh() {
    this.panes.forEach((pane) => pane.refresh());
    if (this.panes.length > 1) this.summary.textContent = this.summaryText();
    this.draw();
  }

  summaryText() {
    const alone = this.panes.map((pane) => {
      const n = pane.shownIndices().filter((index) => pane.isAlone(index)).length;
      return this.fill(this.texts.only_by, { title: pane.title, n });
    });
    const everywhere = this.panes[0].shownIndices().filter((i) => this.panes[0].isShared(i));
    return [this.fill(this.texts.by_all, { n: everywhere.length }), ...alone].join(" · ");
  }

  count(n) {
    const form = this.plural.select(n) === "one" ? this.texts.face : this.texts.faces;
    return this.fill(form, { n });
  }

  fill(template, values) {
    return template.replace(/\{(\w+)\}/g, (_all, name) => values[name]);
  }

  say(text) {
    this.live.textContent = text;
  }

  paste(event) {
    if (event.target.closest?.("input, textarea")) return;
    const files = [...(event.clipboardData?.files || [])];
    if (!files.length) return;
    event.preventDefault();
    this.take(files);
  }

  // Pictures that were pasted or dropped on the stage; Python looks at what they are.
  async take(files) {
    if (!files.length) return;
    const sent = files.map(async (file) => ({ name: file.name, base64: await inBase64(file) }));
    this.send("pasted", await Promise.all(sent));
  }
}
