/** Number that stands for the scale 1 in place of a tensor's number. */
export const UNSCALED = -1;

/** Disjoint sets of numbers, each of which may be pinned for a reason. */
export interface PinnedSets {
  /** Returns the representative of a number's set; `UNSCALED` for itself. */
  find(number: number): number;
  /** Unites two sets; a set that is united with `UNSCALED` is pinned. */
  unite(a: number, b: number, why: string): void;
  /** Pins a set, unless it is pinned. */
  pin(number: number, why: string): void;
  /** Returns why a number's set is pinned; undefined for a free set. */
  reason(number: number): string | undefined;
}

/** Returns sets of one number each, from 0 to `count` - 1. */
export function createPinnedSets(count: number): PinnedSets {
  const parents = Int32Array.from({ length: count }, (_, number) => number);
  const reasons = new Map<number, string>();

  function find(number: number): number {
    if (number < 0) return UNSCALED;
    let root = number;
    for (let above = parents[root] ?? root; above !== root; above = parents[root] ?? root) {
      // Halving the path keeps later searches short.
      parents[root] = parents[above] ?? above;
      root = parents[root] ?? root;
    }
    return root;
  }
  function pin(number: number, why: string): void {
    const root = find(number);
    if (root >= 0 && !reasons.has(root)) reasons.set(root, why);
  }
  return {
    find,
    pin,
    unite(a, b, why) {
      const [first, second] = [find(a), find(b)];
      if (first === second) return;
      if (first < 0 || second < 0) {
        pin(Math.max(first, second), why);
        return;
      }
      parents[second] = first;
      const reason = reasons.get(second);
      if (reason !== undefined) pin(first, reason);
    },
    reason: (number) => reasons.get(find(number)),
  };
}
