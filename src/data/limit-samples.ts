import type { Tensors } from '../providers/tensor.js';
import type { Dataset, Feeds } from './dataset.js';
import { labelsIn } from './labels.js';

/**
 * Returns at most `samples` of a data set in memory, in whole runs that are spread evenly. Feeds that are made on access are
 * limited where they are listed.
 */
export function limitSamples(dataset: Dataset<Feeds>, samples: number): Dataset<Feeds> {
  const { feeds, expected } = dataset;
  if (!isList(feeds)) return dataset;
  // Where the samples are counted, a run has equally many. Its first input may be one that all samples share.
  const each = dataset.samples && dataset.samples / feeds.length;
  const rows = Array.from({ length: feeds.length }, (_, run) => each ?? rowsOf(feeds[run] ?? {}));
  const batch = rows.reduce((most, many) => Math.max(most, many), 1);
  const count = Math.max(1, Math.floor(samples / batch));
  if (count >= feeds.length) return dataset;
  const picked = new Set(
    Array.from({ length: count }, (_, index) => Math.floor((index * feeds.length) / count)),
  );
  const isPicked = (_: unknown, run: number) => picked.has(run);
  const starts = [0];
  for (const many of rows) starts.push((starts.at(-1) ?? 0) + many);
  return {
    ...dataset,
    feeds: Array.from(picked, (run) => feeds[run] ?? {}),
    samples: rows.filter(isPicked).reduce((sum, many) => sum + many, 0),
    ...labelsIn(
      dataset,
      [...picked].map((run) => [starts[run] ?? 0, starts[run + 1] ?? 0]),
    ),
    ...(expected && { expected: expected.filter(isPicked) }),
  };
}

const isList = (feeds: Feeds): feeds is readonly Tensors[] => Array.isArray(feeds);

const rowsOf = (feed: Tensors) => Object.values(feed)[0]?.dims[0] ?? 1;
