// What parts are made of.
const Elements = (() => {
  // Those of the attributes that begin with `on` are listeners.
  /** @type {Make} */
  const el = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== false && value != null) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  };

  const div = (name, ...children) => el("div", { class: name }, ...children);
  const button = (text, onclick, attributes = {}) => el("button", { type: "button", onclick, ...attributes }, text);
  const note = (text = "", attributes = {}) => el("p", { class: "live-note", ...attributes }, text);
  const percent = (value) => `${(100 * value).toFixed(1)}\u00a0%`;
  const figure = (title, picture, ...rest) =>
    el("figure", { class: "live-picture" }, picture, el("figcaption", {}, title, ...rest));

  // Controls, each with the row that it is and a function that has it show a value.
  function slider(label, attributes, oninput) {
    const [name, value] = [el("span", {}, label), el("output", { "aria-live": "off" })];
    const input = el("input", { ...attributes, type: "range", oninput: () => oninput(Number(input.value)) });
    const row = el("label", { class: "live-control" }, name, input, value);
    const show = (number, text = String(number)) => {
      input.value = String(number);
      value.textContent = text;
    };
    return { row, name, input, value, show };
  }

  // A drop-down of names, each of which is worth its position.
  function choice(label, names, change) {
    const options = names.map((name, value) => el("option", { value }, name));
    const select = el("select", { onchange: () => change(Number(select.value)) }, ...options);
    const show = (value) => (select.value = String(value));
    return { row: el("label", {}, `${label} `, select), select, show };
  }

  function check(label, change, checked = false) {
    const input = el("input", { type: "checkbox", checked, onchange: () => change(Number(input.checked)) });
    const show = (value) => (input.checked = Boolean(value));
    return { row: el("label", {}, input, ` ${label}`), input, show };
  }

  // Of a table with names of its columns and of its rows. What is in a cell may be a list.
  function table(name, caption, columns, rows) {
    const head = columns.map((of) => (of ? el("th", { scope: "col" }, el("span", {}, of)) : el("td")));
    const parts = [el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows)];
    return el("table", { class: name }, el("caption", {}, caption), ...parts);
  }
  const row = (name, ...cells) =>
    el("tr", {}, el("th", { scope: "row" }, name), ...cells.map((cell) => el("td", {}, ...[cell].flat())));

  // What a live figure answers, and its controls.
  const heading = (question, ...controls) => [
    el("p", { class: "live-question" }, question),
    div("live-buttons", ...controls),
  ];

  return { el, div, button, note, percent, figure, slider, choice, check, table, row, heading };
})();
