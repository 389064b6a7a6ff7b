// Random numbers as PyTorch draws them on a CPU, by the Mersenne Twister: a seed gives the same first weights and the
// same order of the images here and there.
const Random = {
  /** @returns {Draws} */
  seeded(seed) {
    const LENGTH = 624;
    const state = new Uint32Array(LENGTH);
    let next = LENGTH;
    state[0] = seed;
    for (let i = 1; i < LENGTH; i++) state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;

    function renew() {
      for (let i = 0; i < LENGTH; i++) {
        const both = (state[i] & 0x80000000) | (state[(i + 1) % LENGTH] & 0x7fffffff);
        state[i] = state[(i + 397) % LENGTH] ^ (both >>> 1) ^ (both & 1 ? 0x9908b0df : 0);
      }
      next = 0;
    }

    // From 0 up to 2 ** 32.
    function integer() {
      if (next === LENGTH) renew();
      let bits = state[next++];
      bits ^= bits >>> 11;
      bits ^= (bits << 7) & 0x9d2c5680;
      bits ^= (bits << 15) & 0xefc60000;
      return (bits ^ (bits >>> 18)) >>> 0;
    }

    // The numbers from 0 up to `length` in random order, as `torch.randperm`.
    function order(length) {
      const numbers = Array.from({ length }, (_, i) => i);
      for (let i = 0; i < length - 1; i++) {
        const other = i + (integer() % (length - i));
        [numbers[i], numbers[other]] = [numbers[other], numbers[i]];
      }
      return numbers;
    }

    // From 0 up to 1, as `torch.rand`.
    return { order, fraction: () => (integer() & 0xffffff) / 0x1000000 };
  },
};
