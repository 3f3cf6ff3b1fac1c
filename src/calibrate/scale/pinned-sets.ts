/** Number of a tensor; undefined for a tensor without a name, whose scale is 1. */
export type TensorNumber = number | undefined;

/** Disjoint sets of numbers, each of which may be pinned for a reason. */
export interface PinnedSets {
  /** Returns the representative of a number's set; undefined for undefined. */
  find(number: TensorNumber): TensorNumber;
  /** Unites two sets; a set that is united with undefined is pinned. */
  unite(a: TensorNumber, b: TensorNumber, why: string): void;
  /** Pins a set, unless it is pinned. */
  pin(number: TensorNumber, why: string): void;
  /** Returns why a number's set is pinned; undefined for a free set. */
  reason(number: TensorNumber): string | undefined;
}

/** Returns sets of one number each, from 0 to `count` - 1. */
export function createPinnedSets(count: number): PinnedSets {
  const parents = Int32Array.from({ length: count }, (_, number) => number);
  const reasons = new Map<number, string>();

  function find(number: TensorNumber): TensorNumber {
    if (number === undefined) return undefined;
    let root = number;
    for (let above = parents[root] ?? root; above !== root; above = parents[root] ?? root) {
      // Halving the path keeps later searches short.
      parents[root] = parents[above] ?? above;
      root = parents[root] ?? root;
    }
    return root;
  }
  function pin(number: TensorNumber, why: string): void {
    const root = find(number);
    if (root !== undefined && !reasons.has(root)) reasons.set(root, why);
  }
  return {
    find,
    pin,
    unite(a, b, why) {
      const [first, second] = [find(a), find(b)];
      if (first === second) return;
      if (first === undefined || second === undefined) {
        pin(first ?? second, why);
        return;
      }
      parents[second] = first;
      const reason = reasons.get(second);
      if (reason !== undefined) pin(first, reason);
    },
    reason: (number) => {
      const root = find(number);
      return root === undefined ? 'it has no name' : reasons.get(root);
    },
  };
}
