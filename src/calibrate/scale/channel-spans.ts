// The channels of a concatenation are those of its parts, one part after the other.
import type { ChannelPlaces, WeightPlaces } from './channel-places.js';
import type { PinnedSets, TensorNumber } from './pinned-sets.js';

/** Channels of a tensor that have the scales of one class. */
export interface ChannelSpan {
  readonly number: TensorNumber;
  /** Number of channels; 0 if it is not known, and then no class has scales. */
  readonly size: number;
}

/** A concatenation along the channels. */
export interface Concatenation {
  readonly output: TensorNumber;
  readonly parts: readonly TensorNumber[];
  readonly why: string;
}

/** A weight with the sets of the tensors before and after its node. */
export interface WeightEnds {
  readonly up: TensorNumber;
  readonly down: TensorNumber;
  readonly places: WeightPlaces;
}

export interface SpanOptions {
  readonly sets: PinnedSets;
  readonly weights: readonly WeightEnds[];
  readonly concatenations: readonly Concatenation[];
  /** Returns whether a set cannot follow several classes, as that of a site's input. */
  readonly isWhole: (set: number) => boolean;
}

export interface ChannelSpans {
  /** Returns the number of channels of a set that can have scales of its own. */
  sizeOf(set: number): number | undefined;
  spansOf(set: TensorNumber): readonly ChannelSpan[];
}

/** Maximum number of channels of a concatenation: a tensor that a model concatenates with itself again and again has more than any memory. */
const MAX_CHANNELS = 2 ** 20;

/**
 * Finds the spans of all sets. Where the scales of a concatenation cannot be those of its parts, the parts are pinned: where something pins the
 * concatenation, or where sizes do not add up.
 */
export function findChannelSpans(options: SpanOptions): ChannelSpans {
  const { sets } = options;
  for (;;) {
    const parts = partsBySet(options);
    const sizes = sizesOf(options, parts);
    const isKnown = (part: TensorNumber) => sizes.has(sets.find(part) ?? -1);
    const wrong = [...parts].filter(([set, found]) => ![set, ...found].every(isKnown));
    for (const [set, found] of wrong) for (const part of [set, ...found]) sets.pin(part, 'a concatenation');
    if (wrong.length > 0) continue;
    return {
      spansOf: (set) => spansIn(set, parts, sizes, sets),
      sizeOf(set) {
        const size = sizes.get(set) ?? 0;
        return size > 1 && !parts.has(set) ? size : undefined;
      },
    };
  }
}

type Parts = ReadonlyMap<number, readonly TensorNumber[]>;

/** Returns the spans of a set: those of its parts, which may be concatenations themselves. */
function spansIn(
  set: TensorNumber,
  parts: Parts,
  sizes: ReadonlyMap<number, number>,
  sets: PinnedSets,
): ChannelSpan[] {
  const spans: ChannelSpan[] = [];
  const open = [set];
  while (open.length > 0) {
    const number = sets.find(open.pop());
    const found = parts.get(number ?? -1);
    if (found === undefined) spans.push({ number, size: sizes.get(number ?? -1) ?? 0 });
    else for (const part of found.toReversed()) open.push(part);
  }
  return spans;
}

/** Returns the parts of each concatenation that is free, by its set, in the order of the nodes. Pins the parts of the others. */
function partsBySet({ sets, concatenations, isWhole }: SpanOptions): Parts {
  const counts = new Map<TensorNumber, number>();
  for (const { output } of concatenations) {
    const set = sets.find(output);
    counts.set(set, (counts.get(set) ?? 0) + 1);
  }
  const isFree = (set: TensorNumber): set is number =>
    set !== undefined && counts.get(set) === 1 && !isWhole(set) && sets.reason(set) === undefined;
  for (let isDone = false; !isDone; ) {
    isDone = true;
    // From the last to the first, so that what pins a concatenation reaches those in it at once.
    for (const { output, parts, why } of concatenations.toReversed()) {
      if (isFree(sets.find(output))) continue;
      for (const part of [output, ...parts]) {
        if (part === undefined || sets.reason(part) !== undefined) continue;
        sets.pin(part, why);
        isDone = false;
      }
    }
  }
  const free = concatenations.flatMap(({ output, parts }) => {
    const set = sets.find(output);
    return isFree(set) ? [[set, parts] as const] : [];
  });
  return new Map(free);
}

/**
 * Returns the number of channels of each set: all weights before and after have to agree; a flattened tensor has a multiple. A
 * concatenation has the sum of its parts.
 */
function sizesOf({ sets, weights }: SpanOptions, parts: Parts): ReadonlyMap<number, number> {
  const [ups, downs] = [new Map<number, Set<number>>(), new Map<number, Set<number>>()];
  const add = (map: typeof ups, set: TensorNumber, size: number | undefined) => {
    if (set !== undefined && size !== undefined) map.set(set, (map.get(set) ?? new Set()).add(size));
  };
  for (const { up, down, places } of weights) {
    add(ups, sets.find(up), places.up?.size);
    add(downs, sets.find(down), places.down?.size);
  }
  const made = new Map<number, number>();
  for (const [set, [size = 0, ...others]] of ups)
    if (others.length === 0 && size > 0 && !parts.has(set)) made.set(set, size);
  // A part that is itself a concatenation stands before it.
  for (const [set, own] of parts) {
    let sum = 0;
    for (const part of own) sum += made.get(sets.find(part) ?? -1) ?? Number.NaN;
    const agree = [...(ups.get(set) ?? [])].every((size) => size === sum);
    if (agree && sum > 0 && sum <= MAX_CHANNELS) made.set(set, sum);
  }
  const joined = new Set([...parts.values()].flatMap((own) => own.map((part) => sets.find(part))));
  const isRead = ([set, size]: readonly [number, number]) => {
    const read = [...(downs.get(set) ?? [])];
    return (read.length > 0 || joined.has(set)) && read.every((one) => one % size === 0);
  };
  return new Map([...made].filter(isRead));
}

/** Returns the factor of each element of a weight; undefined if no span has scales. A flattened tensor has several elements a channel. */
export function factorsAt(
  scales: ReadonlyMap<number, Float64Array>,
  spans: readonly ChannelSpan[],
  places: ChannelPlaces | undefined,
): ((place: number) => number) | undefined {
  if (places === undefined || spans.every(({ number }) => !scales.has(number ?? -1))) return undefined;
  const factors = spans.flatMap(({ number, size }) => [
    ...(scales.get(number ?? -1) ?? new Float64Array(size).fill(1)),
  ]);
  return (place) => factors[Math.floor((places.of(place) * factors.length) / places.size)] ?? 1;
}
