// @ts-check
// What parts are made of.
"use strict";

const Elements = (() => {
  /**
   * @template {keyof HTMLElementTagNameMap} Tag
   * @param {Tag} tag
   * @param {Record<string, any>} attributes those that begin with `on` are listeners
   * @param {(Node | string)[]} children
   */
  function el(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== false && value != null) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  /**
   * @param {string} name
   * @param {(Node | string)[]} children
   */
  const div = (name, ...children) => el("div", { class: name }, ...children);

  const button = (text, onclick, attributes = {}) => el("button", { type: "button", onclick, ...attributes }, text);
  const note = (text = "", attributes = {}) => el("p", { class: "live-note", ...attributes }, text);
  const percent = (value) => `${(100 * value).toFixed(1)}\u00a0%`;

  /**
   * @param {string} title
   * @param {HTMLCanvasElement} picture
   * @param {(Node | string)[]} rest
   */
  function figure(title, picture, ...rest) {
    return el("figure", { class: "live-picture" }, picture, el("figcaption", {}, title, ...rest));
  }

  function slider(label, attributes, oninput) {
    const value = el("output");
    const input = el("input", { ...attributes, type: "range", oninput: () => oninput(Number(input.value)) });
    const row = el("label", { class: "live-control" }, el("span", {}, label), input, value);
    const show = (number, text = String(number)) => {
      input.value = String(number);
      value.textContent = text;
    };
    return { row, input, value, show };
  }

  return { el, div, button, note, percent, figure, slider };
})();
