// needs: elements.js
// Bars: of the probabilities of classes, and of a code.
const Plots = (() => {
  const { el, percent, table, row } = Elements;

  const best = (values) => values.indexOf(Math.max(...values));

  // Bars that are a table: a row for each class, a column for each of `columns`, which shows probabilities or null.
  function probabilities(caption, classes, columns) {
    const cell = () => [el("span", { class: "live-bar" }), el("span", { class: "live-number" })];
    const cells = classes.map(() => columns.map(cell));
    const rows = classes.map((name, label) => row(name, ...cells[label]));
    const show = (shown) => {
      rows.forEach((row, label) => {
        row.classList.toggle("live-most", shown[0] !== null && best(shown[0]) === label);
        cells[label].forEach(([bar, number], column) => {
          const value = shown[column]?.[label];
          bar.style.width = `${100 * (value ?? 0)}%`;
          number.textContent = value === undefined ? "—" : percent(value);
        });
      });
    };
    return { table: table("live-bars", caption, ["Clase", ...columns], rows), show };
  }

  // A bar for each neuron, and a dot under those that are `mute`.
  function code(label) {
    const box = el("div", { class: "live-code", role: "img", "aria-label": label });
    const show = (code, /** @type {(neuron: number) => boolean} */ mute = () => false) => {
      const most = Math.max(1, ...code);
      if (box.childElementCount !== code.length) box.replaceChildren(...Array.from(code, () => el("span")));
      box.classList.toggle("live-dense", code.length > 100);
      code.forEach((value, neuron) => {
        const bar = /** @type {HTMLElement} */ (box.children[neuron]);
        bar.style.height = `${(100 * value) / most}%`;
        bar.classList.toggle("live-mute", mute(neuron));
        bar.title = `Neurona ${neuron}: ${value.toFixed(2)}`;
      });
    };
    return { box, show };
  }

  return { best, probabilities, code };
})();
