import { lazyArray } from '../base/lazy-array.js';
import { createRandom, type Random } from '../base/random.js';
import type { Tensors } from '../providers/tensor.js';
import type { Dataset, Feeds } from './dataset.js';

/** A part of a data set: as many runs as it has, made anew each time where the whole is. */
export interface Part {
  readonly feeds: Feeds;
  /** Number of runs. */
  readonly runs: number;
  /** Which runs of the whole they are, in order. */
  readonly indices: readonly number[];
}

/**
 * Shares out the runs of a data set, each to one part at the most, by a seeded shuffle: data is often in order of class.
 * `shares` add up to 1; the first part gets what rounding leaves, and every other part at least one run as long as there
 * are enough. `limit` runs are taken at the most.
 */
export function splitFeeds(
  feeds: Feeds,
  shares: readonly number[],
  { seed, limit = Number.POSITIVE_INFINITY }: { readonly seed: number; readonly limit?: number | undefined },
): Part[] {
  const random = createRandom(seed);
  const taken =
    feeds.length > MANY && limit < feeds.length
      ? choose(feeds.length, limit, random)
      : shuffled(feeds, limit, random);
  const sizes = shares.map((share) => Math.max(1, Math.floor(share * taken.length)));
  const parts: Part[] = [];
  for (const size of sizes.slice(1).toReversed()) parts.unshift(partOf(feeds, taken.splice(-size)));
  return [partOf(feeds, taken), ...parts];
}

/** Runs beyond which not all of them are shuffled to take a few. */
const MANY = 2 ** 20;

/** So many different numbers below `length`, in random order. */
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

function partOf(feeds: Feeds, indices: readonly number[]): Part {
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

/** Returns a part of a data set with the labels of the part. What the original should give is left out. */
export function datasetOf({ source, feeds, labels }: Dataset<Feeds>, part: Part): Dataset<Feeds> {
  if (labels === undefined) return { source, feeds: part.feeds };
  const each = labels.length / feeds.length;
  const own = part.indices.flatMap((run) => labels.slice(run * each, (run + 1) * each));
  return { source, feeds: part.feeds, labels: own };
}

/** Joins two parts. Their labels come in the same order. */
export function joined(a: Part, b: Part): Part {
  const feeds = {
    length: a.runs + b.runs,
    async *[Symbol.asyncIterator]() {
      yield* a.feeds;
      yield* b.feeds;
    },
  };
  return { feeds, runs: a.runs + b.runs, indices: [...a.indices, ...b.indices] };
}
