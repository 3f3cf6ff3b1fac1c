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
    const usable = (feeds as readonly Tensors[]).filter(filter);
    for (;;) yield usable[Math.floor(random() * usable.length)] as Tensors;
  }
  for (;;) for await (const run of feeds) if (filter(run)) yield run;
}
