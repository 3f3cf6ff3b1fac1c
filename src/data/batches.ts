import type { Tensors } from '../providers/tensor.js';
import type { Feeds } from './dataset.js';

/**
 * Yields the runs that pass a filter, without end: in random order for an array, in sequence for lazy feeds. At least
 * one run must pass.
 */
export async function* endlessFeeds(
  feeds: Feeds,
  filter: (feeds: Tensors) => boolean,
  random: () => number,
): AsyncGenerator<Tensors, never> {
  if (Array.isArray(feeds)) {
    const runs: readonly Tensors[] = feeds;
    // Numbers, since runs that are made on access may exceed memory together.
    const usable: number[] = [];
    for (let index = 0; index < runs.length; index++) if (filter(runs[index] as Tensors)) usable.push(index);
    for (;;) yield runs[usable[Math.floor(random() * usable.length)] as number] as Tensors;
  }
  for (;;) for await (const run of feeds) if (filter(run)) yield run;
}
