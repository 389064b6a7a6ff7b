// @ts-check
// needs: elements.js
// Bars: of the probabilities of classes, and of a code.
"use strict";

const Plots = (() => {
  const { el, percent } = Elements;

  const best = (values) => values.indexOf(Math.max(...values));

  /**
   * Bars that are a table: a row for each class, a column for each of `columns`. The function shows an array of
   * probabilities, or null, in each column.
   * @param {string} caption
   * @param {string[]} classes
   * @param {string[]} columns
   * @returns {[HTMLTableElement, (probabilities: (ArrayLike<number> | null)[]) => void]}
   */
  function probabilities(caption, classes, columns) {
    const cell = () => [el("span", { class: "live-bar" }), el("span", { class: "live-number" })];
    const cells = classes.map(() => columns.map(cell));
    const rows = classes.map((name, label) =>
      el("tr", {}, el("th", { scope: "row" }, name), ...cells[label].map((pair) => el("td", {}, ...pair))),
    );
    const head = el("tr", {}, ...["Clase", ...columns].map((name) => el("th", { scope: "col" }, name)));
    const parts = [el("caption", {}, caption), el("thead", {}, head), el("tbody", {}, ...rows)];
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
    return [el("table", { class: "live-bars" }, ...parts), show];
  }

  /**
   * A bar for each neuron, and a dot under those that are `mute`.
   * @param {string} label
   * @returns {[HTMLDivElement, (code: Float32Array, mute: (neuron: number) => boolean) => void]}
   */
  function code(label) {
    const box = el("div", { class: "live-code", role: "img", "aria-label": label });
    const show = (code, mute) => {
      const most = Math.max(1, ...code);
      while (box.childElementCount > code.length) box.lastChild?.remove();
      while (box.childElementCount < code.length) box.append(el("span"));
      box.classList.toggle("live-dense", code.length > 100);
      code.forEach((value, neuron) => {
        const bar = /** @type {HTMLElement} */ (box.children[neuron]);
        bar.style.height = `${(100 * value) / most}%`;
        bar.classList.toggle("live-mute", mute(neuron));
        bar.title = `Neurona ${neuron}: ${value.toFixed(2)}`;
      });
    };
    return [box, show];
  }

  return { best, probabilities, code };
})();
