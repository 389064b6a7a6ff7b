// needs: elements.js
// Where one points, with the mouse, a finger or the arrow keys.
const Pointing = (() => {
  const { el, div } = Elements;
  const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

  // `at` is called with the pointer's place from above and from the left, as parts of the height and of the width;
  // `step` with the rows and the columns that an arrow goes.
  function listen(element, { at, step, hover = false }) {
    let held = false; // since it went down here
    element.tabIndex = 0;
    element.setAttribute("role", "application");

    function point(event) {
      const { left, top, width, height } = element.getBoundingClientRect();
      at((event.clientY - top) / height, (event.clientX - left) / width, event);
    }
    element.addEventListener("pointerdown", (event) => {
      held = true;
      element.setPointerCapture(event.pointerId);
      point(event);
    });
    element.addEventListener("pointermove", (event) => {
      held &&= event.buttons > 0;
      if (held || (hover && event.pointerType === "mouse")) point(event);
    });
    element.addEventListener("keydown", (event) => {
      if (!STEPS[event.key]) return;
      event.preventDefault();
      step(...STEPS[event.key], event);
    });
  }

  // A picture, and what frames a square of it.
  /** @returns {[HTMLElement, (row: number, column: number, size: number) => void]} */
  function framed(/** @type {HTMLCanvasElement} */ picture) {
    const cursor = el("span", { class: "live-cursor" });
    const percent = (cells, count) => `${(100 * cells) / count}%`;
    const frame = (row, column, size) => {
      cursor.hidden = !size;
      const { width, height } = picture;
      [cursor.style.top, cursor.style.left] = [percent(row, height), percent(column, width)];
      [cursor.style.height, cursor.style.width] = [percent(size, height), percent(size, width)];
    };
    return [div("live-frame", picture, cursor), frame];
  }

  // The same where one points: `choose` is called with a row and a column; `place` says from where the arrows go.
  function make(/** @type {HTMLCanvasElement} */ picture, { place, choose, hover = false }) {
    const within = (at, count) => Math.max(0, Math.min(count - 1, Math.floor(at)));
    const go = (row, column) => choose(within(row, picture.height), within(column, picture.width));
    picture.classList.add("live-pointing");
    listen(picture, {
      hover,
      at: (down, across) => go(down * picture.height, across * picture.width),
      step: (rows, columns) => go(place()[0] + rows, place()[1] + columns),
    });
    return framed(picture);
  }

  return { STEPS, listen, framed, make };
})();
