// @ts-check
// needs: elements.js pictures.js
// A canvas on which one draws, with a pointer or from the keyboard.
"use strict";

const Board = (() => {
  const { el, div } = Elements;
  const { SIDE } = Pictures;
  const LABEL =
    "Lienzo para dibujar, de 28 por 28 píxeles. Las flechas mueven el cursor, la barra espaciadora pinta y " +
    "Suprimir borra.";

  /**
   * `begin` is called before a stroke, and `stroke` with each stretch of it, from one point to another.
   * @param {{ begin: (erase: boolean) => void, stroke: (from: number[], to: number[], erase: boolean) => void,
   *   erasing: () => boolean, say: (text: string) => void }} actions
   */
  function make({ begin, stroke, erasing, say }) {
    const board = Pictures.canvas(LABEL);
    board.classList.add("live-board");
    board.tabIndex = 0;
    board.setAttribute("role", "application");
    const cursor = el("span", { class: "live-cursor", hidden: true });
    let last = null; // where the pointer was, while it is down
    let place = [14, 14]; // of the cursor: column and row

    const go = (to, erase) => {
      stroke(last ?? to, to, erase);
      last = to;
    };
    const end = () => (last = null);

    const point = ({ clientX, clientY }) => {
      const box = board.getBoundingClientRect();
      return [((clientX - box.left) / box.width) * SIDE, ((clientY - box.top) / box.height) * SIDE];
    };
    board.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      board.focus({ preventScroll: true });
      cursor.hidden = true;
      board.setPointerCapture(event.pointerId);
      begin(erasing());
      go(point(event), erasing());
    });
    board.addEventListener("pointermove", (event) => {
      if (last) go(point(event), erasing());
    });
    board.addEventListener("pointerup", end);
    board.addEventListener("pointercancel", end);

    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    board.addEventListener("keydown", (event) => {
      const step = steps[event.key];
      const erase = event.key === "Delete" || event.key === "Backspace";
      if (!step && event.key !== " " && !erase) return;
      event.preventDefault();
      if (step) place = place.map((at, axis) => Math.max(0, Math.min(SIDE - 1, at + step[axis])));
      if (!step || event.shiftKey) {
        begin(erase);
        go([place[0] + 0.5, place[1] + 0.5], erase);
        end();
      }
      cursor.hidden = false;
      [cursor.style.left, cursor.style.top] = place.map((at) => `${(100 * at) / SIDE}%`);
      say(`Fila ${place[1]}, columna ${place[0]}`);
    });
    board.addEventListener("blur", () => (cursor.hidden = true));
    return { frame: div("live-frame", board, cursor), board };
  }

  return { make };
})();
