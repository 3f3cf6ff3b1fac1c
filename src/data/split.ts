import { lazyArray } from '../base/lazy-array.js';
import { createRandom, type Random } from '../base/random.js';
import type { Tensors } from '../providers/tensor.js';
import type { Dataset, Feeds } from './dataset.js';
import { labelledPerRun, labelsIn, labelsOf } from './labels.js';

/** A part of a data set; it is lazy if the data set is. */
export interface Subset {
  readonly feeds: Feeds;
  /** Number of runs. */
  readonly runs: number;
  /** Indices of its runs in the data set, in order. */
  readonly indices: readonly number[];
}

/**
 * Splits the runs of a data set into disjoint subsets by a seeded shuffle, because data is often sorted by class.
 * `shares` add up to 1. The first subset gets the remainder of rounding, and every other subset at least one run if there
 * are enough. At most `limit` runs are used.
 */
export function splitFeeds(
  feeds: Feeds,
  shares: readonly number[],
  { seed, limit = Number.POSITIVE_INFINITY }: { readonly seed: number; readonly limit?: number | undefined },
): Subset[] {
  const random = createRandom(seed);
  const taken =
    feeds.length > MAX_SHUFFLED_RUNS && limit < feeds.length
      ? choose(feeds.length, limit, random)
      : shuffled(feeds, limit, random);
  const sizes = shares.map((share) => Math.max(1, Math.floor(share * taken.length)));
  const subsets: Subset[] = [];
  for (const size of sizes.slice(1).toReversed()) subsets.unshift(subsetOf(feeds, taken.splice(-size)));
  return [subsetOf(feeds, taken), ...subsets];
}

/** Draws at most `limit` runs of a subset. Their indices are those in the data set. */
export function drawRuns(subset: Subset, limit: number, seed: number): Subset {
  if (limit >= subset.runs) return subset;
  const [drawn] = splitFeeds(subset.feeds, [1], { seed, limit });
  if (drawn === undefined) return subset;
  return { ...drawn, indices: drawn.indices.flatMap((index) => subset.indices[index] ?? []) };
}

/** Maximum number of runs to shuffle whole; of more runs, only the needed ones are drawn. */
const MAX_SHUFFLED_RUNS = 2 ** 20;

/** Returns `count` different numbers below `length`, in random order. */
function choose(length: number, count: number, random: Random): number[] {
  const moved = new Map<number, number>();
  return Array.from({ length: count }, (_, index) => {
    const other = index + Math.floor(random() * (length - index));
    const chosen = moved.get(other) ?? other;
    moved.set(other, moved.get(index) ?? index);
    return chosen;
  });
}

function shuffled(feeds: Feeds, limit: number, random: Random): number[] {
  const order = Array.from({ length: feeds.length }, (_, index) => index);
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other] as number, order[last] as number];
  }
  return order.slice(0, limit);
}

function subsetOf(feeds: Feeds, indices: readonly number[]): Subset {
  const chosen = indices.toSorted((a, b) => a - b);
  const base = { runs: chosen.length, indices: chosen };
  if (Array.isArray(feeds)) {
    const some = lazyArray(chosen.length, (index) => feeds[chosen[index] ?? 0] as Tensors);
    return { ...base, feeds: some };
  }
  const wanted = new Set(chosen);
  const some = {
    length: base.runs,
    async *[Symbol.asyncIterator]() {
      let index = 0;
      let left = base.runs;
      for await (const feed of feeds) {
        if (left === 0) return;
        if (!wanted.has(index++)) continue;
        left--;
        yield feed;
      }
    },
  };
  return { ...base, feeds: some };
}

/** Returns a subset as a data set, with the labels of its runs and without expected outputs. */
export function datasetOf(dataset: Dataset<Feeds>, subset: Subset): Dataset<Feeds> {
  const { source, feeds } = dataset;
  const labels = labelsOf(dataset);
  const each = labels === undefined ? 0 : labelledPerRun(labels, feeds.length);
  const spans = subset.indices.map((run) => [run * each, (run + 1) * each] as const);
  return { source, feeds: subset.feeds, ...labelsIn(dataset, spans) };
}

/** Joins two subsets into one, in their order. */
export function joined(a: Subset, b: Subset): Subset {
  const feeds = {
    length: a.runs + b.runs,
    async *[Symbol.asyncIterator]() {
      yield* a.feeds;
      yield* b.feeds;
    },
  };
  return { feeds, runs: a.runs + b.runs, indices: [...a.indices, ...b.indices] };
}
