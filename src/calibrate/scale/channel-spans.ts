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
    const spansOf = (set: TensorNumber): readonly ChannelSpan[] =>
      parts.get(set ?? -1)?.flatMap((part) => spansOf(sets.find(part))) ?? [
        { number: set, size: sizes.get(set ?? -1) ?? 0 },
      ];
    const sizeOf = (set: number) => {
      const size = sizes.get(set) ?? 0;
      return size > 1 && !parts.has(set) ? size : undefined;
    };
    return { spansOf, sizeOf };
  }
}

/** Returns the parts of each concatenation that is free, by its set. Pins the parts of the others. */
function partsBySet({ sets, concatenations, isWhole }: SpanOptions): Map<number, readonly TensorNumber[]> {
  const found = new Map<number, readonly TensorNumber[]>();
  for (let isDone = false; !isDone; ) {
    isDone = true;
    found.clear();
    for (const { output, parts, why } of concatenations) {
      const set = sets.find(output);
      const isFree = set !== undefined && !found.has(set) && !isWhole(set) && sets.reason(set) === undefined;
      if (isFree) found.set(set, parts);
      else {
        const free = [output, ...parts].filter((part) => sets.reason(part) === undefined);
        for (const part of free) sets.pin(part, why);
        isDone &&= free.length === 0;
      }
    }
  }
  return found;
}

/**
 * Returns the number of channels of each set: all weights before and after have to agree; a flattened tensor has a multiple. A
 * concatenation has the sum of its parts.
 */
function sizesOf(
  { sets, weights }: SpanOptions,
  parts: ReadonlyMap<number, readonly TensorNumber[]>,
): ReadonlyMap<number, number> {
  const [ups, downs] = [new Map<number, Set<number>>(), new Map<number, Set<number>>()];
  const add = (map: typeof ups, set: TensorNumber, size: number | undefined) => {
    if (set !== undefined && size !== undefined) map.set(set, (map.get(set) ?? new Set()).add(size));
  };
  for (const { up, down, places } of weights) {
    add(ups, sets.find(up), places.up?.size);
    add(downs, sets.find(down), places.down?.size);
  }
  const known = new Map<number, number | undefined>();
  const sizes = new Map<number, number>();
  for (const set of [...parts.keys(), ...ups.keys()]) {
    const size = sizeOf(set);
    if (size !== undefined && isRead(set, size)) sizes.set(set, size);
  }
  return sizes;

  /** Returns the size by what computes a set; undefined while it is being looked for, in a set that would be a part of itself. */
  function sizeOf(set: TensorNumber): number | undefined {
    if (set === undefined) return undefined;
    if (known.has(set)) return known.get(set);
    known.set(set, undefined);
    const own = [...(ups.get(set) ?? [])];
    const summed = parts.get(set)?.map((part) => sizeOf(sets.find(part)) ?? Number.NaN);
    const size = summed?.reduce((sum, one) => sum + one, 0) ?? own[0] ?? 0;
    const isOne = size > 0 && own.every((one) => one === size);
    if (isOne) known.set(set, size);
    return isOne ? size : undefined;
  }

  /** Returns whether weights read a set, itself or in a concatenation, and all of them as many channels as it has. */
  function isRead(set: number, size: number): boolean {
    const read = [...(downs.get(set) ?? [])];
    const inOthers = [...parts].some(([, own]) => own.some((part) => sets.find(part) === set));
    return (read.length > 0 || inOthers) && read.every((one) => one % size === 0);
  }
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
