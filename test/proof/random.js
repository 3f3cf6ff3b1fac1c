/** Numbers that look random and are the same for the same seed. */
export class Random {
  #state;

  /** @param {number | string} seed */
  constructor(seed) {
    this.#state = 2166136261;
    for (const letter of `${seed}/`) {
      this.#state = Math.imul(this.#state ^ letter.charCodeAt(0), 16777619);
    }
  }

  /** From 0 up to, but not including, 1. */
  next() {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  }

  /** @param {number} low @param {number} high */
  between(low, high) {
    return low + (high - low) * this.next();
  }

  /** A whole number from `low` to `high`, both included. @param {number} low @param {number} high */
  whole(low, high) {
    return low + Math.floor((high - low + 1) * this.next());
  }

  /** @template T @param {readonly T[]} list @returns {T} */
  pick(list) {
    return list[this.whole(0, list.length - 1)];
  }

  /** `count` different members of a list, in the list's order. @template T @param {readonly T[]} list @param {number} count */
  some(list, count) {
    let open = Math.min(count, list.length);
    return list.filter((_, index) => {
      const chosen = this.next() * (list.length - index) < open;
      if (chosen) open--;
      return chosen;
    });
  }

  /** Normally distributed, with deviation 1. */
  normal() {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
  }
}
