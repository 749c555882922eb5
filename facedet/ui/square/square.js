// The 2 x 2 picture: four buttons in a square. Arrow keys go from one to the next.

const SIGNS = { both: "✓", only_first: "◨", only_second: "◧", neither: "✕" };
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

export default function ({ parentElement, data, setTriggerValue }) {
  let square = parentElement.querySelector(".square");
  if (!square) {
    square = make("div", "square");
    square.setAttribute("role", "group");
    square.cells = data.cells.map(() => makeCell());
    square.columns = [0, 1].map(() => make("span", "head"));
    square.rows = [0, 1].map(() => make("span", "side"));
    const [a, b, c, d] = square.cells;
    square.append(make("span", "corner"), ...square.columns);
    square.append(square.rows[0], a, b, square.rows[1], c, d);
    parentElement.append(square);
  }
  square.setAttribute("aria-label", data.label);
  square.columns.forEach((head, k) => (head.textContent = data.columns[k]));
  square.rows.forEach((side, k) => (side.textContent = data.rows[k]));
  square.cells.forEach((button, k) => {
    const cell = data.cells[k];
    button.className = cell.id;
    button.dataset.cell = cell.id;
    button.setAttribute("aria-pressed", String(cell.id === data.selected));
    const texts = [SIGNS[cell.id], cell.count, cell.meaning, cell.why];
    button.childNodes.forEach((part, i) => {
      if (part.textContent !== texts[i]) part.textContent = texts[i];
    });
    button.onclick = () => setTriggerValue("picked", cell.id);
    button.onkeydown = (event) => {
      const step = STEPS[event.key];
      if (!step) return;
      event.preventDefault();
      const row = Math.min(1, Math.max(0, Math.floor(k / 2) + step[0]));
      const column = Math.min(1, Math.max(0, (k % 2) + step[1]));
      square.cells[2 * row + column].focus();
    };
  });
}

function makeCell() {
  const button = document.createElement("button");
  button.type = "button";
  const sign = make("i", "sign");
  sign.setAttribute("aria-hidden", "true");
  button.append(sign, make("b", ""), make("span", "meaning"), make("span", "why"));
  return button;
}

function make(tag, className) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  return element;
}
