// One detector's view of the photo: stage, threshold, facts and table.
// A box is [x1, y1, x2, y2, score, face]; boxes of several panes with the same `face` mean one face.

const COLUMNS = ["left", "top", "width", "height", "score"];
const DRAG_STARTS_PX = 4; // less is a click with a trembling hand
const ALT_FACES = 10; // a text alternative with more would be read for minutes

class Pane {
  constructor(canvas, data, position, thresholdBefore, chosenBefore) {
    Object.assign(this, { canvas, position, name: data.name, title: data.title });
    this.boxes = data.boxes;
    this.floor = data.floor;
    this.threshold = Math.max(data.floor, thresholdBefore ?? data.threshold);
    this.active = -1;
    this.chosen = new Set(chosenBefore);
    this.sort = { column: "score", down: true };
    this.pointers = new Map();
    this.root = make("section", "pane");
    if (data.heading) this.root.append(make("h2", "", data.title));
    this.root.append(this.makeStage(), this.makeThreshold(), this.makeFacts(data.facts));
    this.table = this.makeTable();
    if (data.heading) this.root.append(canvas.takeAwayButton(this));
  }

  isShown(index) {
    return index >= 0 && index < this.boxes.length && this.boxes[index][4] >= Math.fround(this.threshold); // scores are float32 in Python
  }

  shownIndices() {
    return this.boxes.map((_box, index) => index).filter((index) => this.isShown(index));
  }

  // Does another pane show the same face just now?
  isSeenIn(pane, index) {
    const face = this.boxes[index][5];
    return pane.boxes.some((box, other) => box[5] === face && pane.isShown(other));
  }

  isAlone(index) {
    const others = this.canvas.panes.filter((pane) => pane !== this);
    return others.length > 0 && !others.some((pane) => this.isSeenIn(pane, index));
  }

  isShared(index) {
    return this.canvas.panes.every((pane) => pane === this || this.isSeenIn(pane, index));
  }

  makeStage() {
    this.stage = make("div", "stage");
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "group");
    this.stage.setAttribute("aria-label", this.canvas.texts.stage);
    this.picture = make("canvas");
    this.picture.setAttribute("role", "img");
    this.context = this.picture.getContext("2d");
    this.stage.append(this.picture);
    const on = (type, handler, options) => this.stage.addEventListener(type, handler, options);
    on("keydown", (event) => this.key(event));
    on("pointerdown", (event) => this.pointerDown(event));
    on("pointermove", (event) => this.pointerMove(event));
    on("pointerup", (event) => this.pointerUp(event));
    on("pointercancel", (event) => this.pointers.delete(event.pointerId));
    on("pointerleave", () => this.setActive(-1));
    on("dblclick", (event) => this.canvas.zoom(2, this.at(event)));
    on("wheel", (event) => this.wheel(event), { passive: false });
    return this.stage;
  }

  makeThreshold() {
    const { texts } = this.canvas;
    const row = make("div", "threshold");
    const label = make("label", "", texts.threshold);
    this.slider = make("input");
    Object.assign(this.slider, { type: "range", min: this.floor, max: 1, step: 0.01 });
    this.slider.id = `threshold-${this.position}`;
    this.slider.value = this.threshold;
    label.htmlFor = this.slider.id;
    this.shownScore = make("output");
    this.slider.addEventListener("input", () => {
      this.threshold = Number(this.slider.value);
      this.canvas.refresh();
    });
    row.append(label, this.shownScore, this.slider);
    return row;
  }

  makeFacts(facts) {
    const list = make("dl", "facts");
    const add = (label, value) => {
      const card = make("div");
      const shown = make("dd", "", value);
      card.append(make("dt", "", label), shown);
      list.append(card);
      return shown;
    };
    this.countShown = add(this.canvas.texts.faces_fact, "");
    this.countShown.setAttribute("aria-live", "polite");
    for (const [label, value] of facts) add(label, value);
    return list;
  }

  makeTable() {
    const details = make("details", "table");
    details.open = this.canvas.tableOpen; // another detector does not close it
    details.addEventListener("toggle", () => (this.canvas.tableOpen = details.open));
    this.caption = make("summary");
    const scroller = make("div", "scroller");
    scroller.tabIndex = 0;
    scroller.setAttribute("role", "region");
    scroller.setAttribute("aria-label", `${this.canvas.texts.table}: ${this.title}`);
    const table = make("table");
    table.setAttribute("role", "grid");
    table.setAttribute("aria-multiselectable", "true");
    const head = make("tr");
    this.heads = COLUMNS.map((column) => this.makeHead(column));
    head.append(...this.heads);
    const thead = make("thead");
    thead.append(head);
    this.body = make("tbody");
    table.append(thead, this.body);
    scroller.append(table);
    details.append(this.caption, scroller);
    return details;
  }

  makeHead(column) {
    const cell = make("th");
    const text = this.canvas.texts[column];
    const sortHere = button("sort", text, text, () => {
      const down = this.sort.column === column ? !this.sort.down : column === "score";
      this.sort = { column, down };
      this.refreshTable();
    });
    cell.append(sortHere);
    cell.dataset.column = column;
    return cell;
  }

  values(index) {
    const [x1, y1, x2, y2, score] = this.boxes[index];
    return { left: x1, top: y1, width: x2 - x1, height: y2 - y1, score };
  }

  refresh() {
    const n = this.shownIndices().length;
    if (!this.isShown(this.active)) this.active = -1;
    this.shownScore.textContent = this.threshold.toFixed(2);
    this.slider.setAttribute("aria-valuetext", this.threshold.toFixed(2));
    const done = (100 * (this.threshold - this.floor)) / (1 - this.floor);
    this.slider.style.setProperty("--done", `${done}%`);
    this.countShown.textContent = String(n);
    this.picture.setAttribute("aria-label", this.describe());
    const prefix = this.canvas.panes.length > 1 ? `${this.title}: ` : "";
    this.caption.textContent =
      prefix + this.canvas.fill(this.canvas.texts.as_table, { faces: this.canvas.count(n) });
    this.refreshTable();
  }

  describe() {
    const shown = this.shownIndices();
    const parts = shown.slice(0, ALT_FACES).map((index) => this.describeFace(index));
    const more = shown.length > ALT_FACES ? ["…"] : [];
    const head = this.canvas.count(shown.length);
    return parts.length ? `${head}: ${[...parts, ...more].join("; ")}` : head;
  }

  describeFace(index) {
    const v = this.values(index);
    const rounded = Object.fromEntries(Object.entries(v).map(([k, x]) => [k, Math.round(x)]));
    return this.canvas.fill(this.canvas.texts.face_at, { ...rounded, score: v.score.toFixed(2) });
  }

  refreshTable() {
    const { column, down } = this.sort;
    const sign = down ? -1 : 1;
    const shown = this.shownIndices();
    shown.sort((a, b) => sign * (this.values(a)[column] - this.values(b)[column]));
    this.body.replaceChildren(...shown.map((index) => this.makeRow(index)));
    if (this.body.firstChild) this.body.firstChild.tabIndex = 0;
    for (const head of this.heads) {
      const here = head.dataset.column === column;
      head.setAttribute("aria-sort", here ? (down ? "descending" : "ascending") : "none");
    }
  }

  makeRow(index) {
    const row = make("tr");
    row.dataset.index = index;
    row.tabIndex = -1; // one row at a time is in the Tab order, arrows go on from there
    const values = this.values(index);
    for (const column of COLUMNS) {
      row.append(make("td", "", values[column].toFixed(column === "score" ? 3 : 1)));
    }
    row.classList.toggle("active", index === this.active);
    row.classList.toggle("chosen", this.chosen.has(index));
    row.setAttribute("aria-selected", String(this.chosen.has(index)));
    row.addEventListener("pointerenter", () => this.setActive(index));
    row.addEventListener("pointerleave", () => this.setActive(-1));
    row.addEventListener("focus", () => this.setActive(index));
    row.addEventListener("click", () => this.toggleChosen(index));
    row.addEventListener("keydown", (event) => {
      const other = { ArrowDown: row.nextSibling, ArrowUp: row.previousSibling }[event.key];
      if (other) this.focusRow(other);
      else if (event.key === "Enter" || event.key === " ") this.toggleChosen(index);
      else return;
      event.preventDefault();
    });
    return row;
  }

  focusRow(row) {
    for (const each of this.rows()) each.tabIndex = each === row ? 0 : -1;
    row.focus();
  }

  rows() {
    return [...this.body.children];
  }

  setActive(index) {
    if (index === this.active) return;
    this.active = index;
    for (const row of this.rows()) row.classList.toggle("active", row.dataset.index == index);
    this.canvas.draw();
  }

  toggleChosen(index) {
    if (!this.isShown(index)) return;
    if (!this.chosen.delete(index)) this.chosen.add(index);
    for (const row of this.rows()) {
      const chosen = this.chosen.has(Number(row.dataset.index));
      row.classList.toggle("chosen", chosen);
      row.setAttribute("aria-selected", String(chosen));
    }
    const { texts } = this.canvas;
    this.canvas.say(this.canvas.fill(texts.chosen, { n: this.chosen.size }));
    this.canvas.draw();
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.stage;
    const [w, h] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
    if (this.picture.width !== w) this.picture.width = w;
    if (this.picture.height !== h) this.picture.height = h;
  }

  at(event) {
    const { left, top } = this.picture.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  under(event) {
    const { view } = this.canvas.state;
    return boxAt(this.boxes, view, this.at(event), (index) => this.isShown(index));
  }

  // A plain wheel scrolls the page, as everywhere; with Ctrl (a pinch on a touchpad) it zooms.
  wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.canvas.zoom(Math.exp(-event.deltaY / 200), this.at(event));
  }

  pointerDown(event) {
    this.pointers.set(event.pointerId, this.at(event));
    this.moved = false;
    this.stage.setPointerCapture(event.pointerId);
  }

  pointerMove(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      this.setActive(this.under(event));
      return;
    }
    const now = this.at(event);
    const far = Math.hypot(now[0] - before[0], now[1] - before[1]) >= DRAG_STARTS_PX;
    if (!this.moved && !far) return;
    this.moved = true;
    if (this.pointers.size === 1) this.pan(now[0] - before[0], now[1] - before[1]);
    else this.pinch(event.pointerId, before, now);
    this.pointers.set(event.pointerId, now);
  }

  pan(dx, dy) {
    const { view } = this.canvas.state;
    this.canvas.setView({ scale: view.scale, dx: view.dx + dx, dy: view.dy + dy });
  }

  pinch(id, before, now) {
    const other = [...this.pointers].find(([pointer]) => pointer !== id)[1];
    const distance = ([x, y]) => Math.hypot(x - other[0], y - other[1]) || 1;
    const middle = [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2];
    this.canvas.zoom(distance(now) / distance(before), middle);
  }

  pointerUp(event) {
    const wasDown = this.pointers.delete(event.pointerId);
    if (!wasDown || this.moved) return;
    const index = this.under(event);
    if (index >= 0) this.toggleChosen(index);
    this.setActive(index);
  }

  key(event) {
    const step = (by) => () => this.stepFace(by);
    const pan = (dx, dy) => () => this.pan(dx, dy);
    const { canvas } = this;
    const actions = event.shiftKey
      ? { ArrowLeft: pan(40, 0), ArrowRight: pan(-40, 0), ArrowUp: pan(0, 40), ArrowDown: pan(0, -40) }
      : {
          ArrowLeft: step(-1),
          ArrowRight: step(1),
          0: () => canvas.fit(),
          "-": () => canvas.zoom(1 / 1.5, canvas.centre()),
          b: () => canvas.toggleBoxes(),
          " ": () => this.toggleChosen(this.active),
          Enter: () => this.zoomToFace(),
        };
    const action = event.key === "+" ? () => canvas.zoom(1.5, canvas.centre()) : actions[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  }

  stepFace(by) {
    const shown = this.shownIndices();
    if (!shown.length) return;
    const at = shown.indexOf(this.active);
    const next = at < 0 ? (by > 0 ? 0 : shown.length - 1) : (at + by + shown.length) % shown.length;
    this.setActive(shown[next]);
    const place = { i: next + 1, n: shown.length, face: this.describeFace(shown[next]) };
    this.canvas.say(this.canvas.fill(this.canvas.texts.face_i_of_n, place));
  }

  zoomToFace() {
    const { canvas } = this;
    if (!this.isShown(this.active)) return;
    canvas.setView(viewOfBox(this.boxes[this.active], canvas.state.imageWh, canvas.stageWh()));
  }
}
