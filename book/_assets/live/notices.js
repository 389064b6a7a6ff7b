// needs: elements.js
// What a screen reader hears, and what shows for a while at the lower edge of the page.
const say = (() => {
  const status = Elements.el("p", { role: "status", class: "live-hidden" });
  const notice = Elements.el("p", { class: "live-notice", hidden: true });
  document.body.append(status, notice);
  let saying = 0;
  let hiding = 0;

  // At most once in a while: what came before is not said.
  return (text, visible = false) => {
    clearTimeout(saying);
    saying = setTimeout(() => (status.textContent = text), 400);
    notice.hidden = !visible;
    notice.textContent = visible ? text : "";
    clearTimeout(hiding);
    if (visible) hiding = setTimeout(() => (notice.hidden = true), 4000);
  };
})();

const sayError = (/** @type {Error} */ error) => say(error.message, true);
