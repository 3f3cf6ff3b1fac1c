import { lazyArray } from '../base/lazy-array.js';
import type { Tensor, Tensors } from '../providers/tensor.js';
import type { Feeds } from './dataset.js';

/** Splits each run into parts of equally many samples. Every run needs at least as many samples as parts. */
export function splitRuns(feeds: Feeds, parts: number): Feeds {
  if (parts <= 1) return feeds;
  const length = feeds.length * parts;
  if (Array.isArray(feeds)) {
    const runs: readonly Tensors[] = feeds;
    return lazyArray(length, (index) =>
      partOf(runs[Math.floor(index / parts)] as Tensors, index % parts, parts),
    );
  }
  return {
    length,
    async *[Symbol.asyncIterator]() {
      for await (const run of feeds) for (let part = 0; part < parts; part++) yield partOf(run, part, parts);
    },
  };
}

/** Returns samples [from, to) of each tensor. */
export function sliceRun(run: Tensors, from: number, to: number): Tensors {
  return Object.fromEntries(
    Object.entries(run).map(([name, tensor]): [string, Tensor] => {
      const { elemType, data } = tensor;
      const [count = 1, ...inner] = tensor.dims;
      const each = data.length / Math.max(1, count);
      const some = data.slice(from * each, to * each);
      return [name, { elemType, dims: [to - from, ...inner], data: some }];
    }),
  );
}

function partOf(run: Tensors, part: number, parts: number): Tensors {
  const count = Object.values(run)[0]?.dims[0] ?? parts;
  return sliceRun(run, Math.floor((part * count) / parts), Math.floor(((part + 1) * count) / parts));
}
