/** Input of `findLargestSet`. */
export interface SetSearch<Item, Result> {
  /** All items, from the least to the most degrading. */
  readonly order: readonly Item[];
  /** Measures a set of items, which are sorted as in `order`. */
  readonly evaluate: (items: readonly Item[]) => Promise<Result>;
  /** Returns whether a measurement is within the budget. */
  readonly keeps: (result: Result) => boolean;
  /** Number of refused items in a row after which the search ends; default: no limit. */
  readonly patience?: number | undefined;
  /** Receives the number of items before each evaluation. */
  readonly onEvaluate?: ((items: number) => void) | undefined;
}

/** Result of `findLargestSet`. */
export interface FoundSet<Item, Result> {
  readonly items: readonly Item[];
  /** Measurement of `items`; undefined for an empty set, which is not measured. */
  readonly result: Result | undefined;
  /** Measurement of all items together; undefined if there are no items. */
  readonly everything: Result | undefined;
  readonly evaluations: number;
  /** Whether patience ended the search before every item was tried. */
  readonly stopped: boolean;
}

/**
 * Searches for the largest set within a budget. It first measures all items. If they exceed the budget, it bisects for
 * the longest prefix of `order`. Then it tries to add each remaining item, since degradations do not simply add up. It
 * makes at most 1 + log2(n) + n evaluations, rounded up. The result is measured and within the budget. It is certainly
 * the largest set only if degradations add up and `order` is sorted by them.
 *
 * @example
 * import { findLargestSet } from 'onnx-mish/calibrate';
 *
 * const { items } = await findLargestSet({
 *   order: [1, 2, 3, 4],
 *   evaluate: async (set) => set.reduce((sum, item) => sum + item, 0),
 *   keeps: (sum) => sum <= 6,
 * }); // [1, 2, 3]
 */
export async function findLargestSet<Item, Result>(
  search: SetSearch<Item, Result>,
): Promise<FoundSet<Item, Result>> {
  const { order, keeps, patience = Number.POSITIVE_INFINITY, onEvaluate } = search;
  let evaluations = 0;
  const evaluate = (items: readonly Item[]) => {
    evaluations++;
    onEvaluate?.(items.length);
    return search.evaluate(items);
  };
  if (order.length === 0)
    return { items: [], result: undefined, everything: undefined, evaluations, stopped: false };
  const everything = await evaluate(order);
  if (keeps(everything)) return { items: order, result: everything, everything, evaluations, stopped: false };

  let result: Result | undefined;
  let kept = 0; // the prefix of this length is within the budget
  for (let broken = order.length; broken - kept > 1; ) {
    const middle = Math.floor((kept + broken) / 2);
    const tried = await evaluate(order.slice(0, middle));
    if (keeps(tried)) [kept, result] = [middle, tried];
    else broken = middle;
  }

  const chosen = new Set(Array.from({ length: kept }, (_, place) => place));
  let refusals = 0;
  let place = kept + 1; // bisection has refused the prefix with one more item
  for (; place < order.length && refusals < patience; place++) {
    const tried = await evaluate(order.filter((_, index) => chosen.has(index) || index === place));
    refusals++;
    if (!keeps(tried)) continue;
    chosen.add(place);
    result = tried;
    refusals = 0;
  }
  const items = order.filter((_, index) => chosen.has(index));
  return { items, result, everything, evaluations, stopped: place < order.length };
}
