// needs: elements.js
// Numbers: their mean, how they are written, and tables of them, each on the colour that it has as a pixel.
const Numbers = (() => {
  const { el } = Elements;

  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const squaredError = (a, b) => a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0) / a.length;
  // At most two decimals, and a minus as the text has it.
  const text = (value, digits = 2) => String(Number(value.toFixed(digits))).replace("-", "−");

  // With `change` the numbers can be edited: it is called with all of them.
  function table(label, columns, /** @type {((values: number[]) => void) | null} */ change = null) {
    const caption = el("caption", {}, label);
    const body = el("tbody");
    const numbers = el("table", { class: "live-numbers" }, caption, body);
    let cells = [];
    let current = [];

    function cell(index) {
      if (!change) return el("td");
      const name = `${label}, fila ${Math.floor(index / columns)}, columna ${index % columns}`;
      const oninput = ({ target }) => change(Array.from(current).with(index, Number(target.value)));
      return el("input", { type: "number", step: "any", "aria-label": name, oninput });
    }

    function build(count) {
      cells = Array.from({ length: count }, (_, index) => cell(index));
      const rows = Array.from({ length: count / columns }, () => el("tr"));
      cells.forEach((one, index) => rows[Math.floor(index / columns)].append(change ? el("td", {}, one) : one));
      body.replaceChildren(...rows);
    }

    function show(values, colour, /** @type {InTable} */ { title = label, wide = columns, marked = () => false } = {}) {
      caption.textContent = title;
      current = values;
      if (values.length !== cells.length || wide !== columns) {
        columns = wide;
        build(values.length);
      }
      cells.forEach((one, index) => {
        const rgb = colour(values[index]);
        one.style.background = `rgb(${rgb.map((part) => Math.max(0, Math.min(255, part)))})`;
        one.style.color = mean(rgb) < 117 ? "white" : "black"; // as the figures have it
        one.classList.toggle("live-marked", marked(index));
        if (!(one instanceof HTMLInputElement)) one.textContent = text(values[index]);
        else if (document.activeElement !== one) one.value = String(Number(values[index].toFixed(3)));
      });
    }
    return { numbers, show };
  }

  return { mean, squaredError, text, table };
})();
