// needs: cases.js garments.js network.js pictures.js data/networks.js
// The laboratory's state as the fragment of an address, whose words readers have kept: they stay.
const Address = (() => {
  function write(/** @type {Choices} */ { network, garment, bytes, drawing, code, target, step, patch }) {
    const parts = new URLSearchParams({ red: network });
    if (garment === null) parts.set(drawing ? "dibujo" : "imagen", Cases.encoded(bytes));
    else parts.set("prenda", String(Garments.positions[garment]));
    if (code) parts.set("codigo", Cases.encoded(new Uint8Array(Float32Array.from(code).buffer)));
    parts.set("hacia", String(Garments.positions[target]));
    parts.set("paso", String(step));
    parts.set("tapa", Object.values(patch).join(","));
    return `#${parts}`;
  }

  // Whatever is missing or makes no sense is undefined.
  function read(fragment) {
    const parts = new URLSearchParams(fragment.slice(1));
    const number = (name) => Number(parts.get(name) ?? NaN);
    const index = (name) => sensible(Garments.positions.indexOf(number(name)), (found) => found >= 0);
    const image = (name) => sensible(decoded(parts.get(name)), ({ length }) => length === Pictures.SIZE);
    return {
      network: networkData.find(({ id }) => id === parts.get("red"))?.id,
      garment: index("prenda"),
      drawing: image("dibujo"),
      image: image("imagen"),
      code: code(decoded(parts.get("codigo"))),
      target: index("hacia"),
      step: sensible(number("paso"), (step) => step >= 0 && step <= 1),
      patch: patch(parts.get("tapa")),
    };
  }

  const sensible = (value, check) => (check(value) ? value : undefined);

  // Nothing if it is not base64.
  function decoded(text) {
    try {
      return Network.bytes((text ?? "").replace(/-/g, "+").replace(/_/g, "/"));
    } catch {
      return new Uint8Array();
    }
  }

  function code(bytes) {
    if (!bytes.length || bytes.length % 4) return undefined;
    return sensible(new Float32Array(bytes.buffer), (values) => values.every(Number.isFinite));
  }

  function patch(text) {
    const [row, column, size] = (text ?? "").split(",").map(Number);
    const inside = [row, column].every((at) => Number.isInteger(at) && at >= 0 && at < Pictures.SIDE);
    return sensible({ row, column, size }, () => inside && [5, 7, 9, 11].includes(size));
  }

  return { write, read };
})();
