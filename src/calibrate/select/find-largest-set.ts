/** What `findLargestSet` searches, and how. */
export interface SetSearch<Item, Result> {
  /** What a set may hold, from harmless to harmful. */
  readonly order: readonly Item[];
  /** Measures a set, whose items come in the order of `order`. */
  readonly evaluate: (items: readonly Item[]) => Promise<Result>;
  /** Whether a measurement is within the budget. */
  readonly keeps: (result: Result) => boolean;
  /** Give up adding single items after so many refusals in a row; never unless given. */
  readonly patience?: number | undefined;
  /** Told before each evaluation how many items it has. */
  readonly onEvaluate?: ((items: number) => void) | undefined;
}

/** The largest set that was found. */
export interface FoundSet<Item, Result> {
  readonly items: readonly Item[];
  /** What was measured of it; undefined for the empty set, which is not measured. */
  readonly result: Result | undefined;
  /** What was measured of all items together; undefined where there are none. */
  readonly everything: Result | undefined;
  readonly evaluations: number;
  /** Whether patience ended the search before every item was tried. */
  readonly stopped: boolean;
}

/**
 * Looks for the largest set within a budget: everything; else the longest beginning of the order, by bisection; then what is
 * left one by one, since the harm of items is not the sum of each one's. At most 1 + log2(n) + n evaluations, rounded up.
 * What it gives has been measured, and kept the budget; it need not be the largest there is, unless harm adds up and the
 * order is by harm.
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
  let kept = 0; // the beginning of this length keeps the budget
  for (let broken = order.length; broken - kept > 1; ) {
    const middle = Math.floor((kept + broken) / 2);
    const tried = await evaluate(order.slice(0, middle));
    if (keeps(tried)) [kept, result] = [middle, tried];
    else broken = middle;
  }

  const chosen = new Set(Array.from({ length: kept }, (_, place) => place));
  let refusals = 0;
  let place = kept + 1; // the beginning with one more was refused already
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
