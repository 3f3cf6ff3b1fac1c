import { lazyArray } from '../base/lazy-array.js';
import type { Tensor, Tensors } from '../providers/tensor.js';
import type { Feeds } from './dataset.js';

/** Splits each run into parts whose numbers of samples differ by at most one. Every run needs at least as many samples as parts. */
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

/** Joins the named tensors of runs along their first axis; other tensors are left out. All runs need the same types and shapes. */
export function joinRuns(runs: readonly Tensors[], names: readonly string[]): Tensors {
  return Object.fromEntries(
    names.flatMap((name): [string, Tensor][] => {
      const parts = runs.flatMap((run) => run[name] ?? []);
      const [first] = parts;
      if (first === undefined) return [];
      const { elemType, dims } = first;
      const [count = 1, ...inner] = dims;
      const joined = { elemType, dims: [count * parts.length, ...inner] };
      if (Array.isArray(first.data))
        return [[name, { ...joined, data: parts.flatMap(({ data }) => data as readonly string[]) }]];
      const { length } = first.data;
      const data = new (first.data.constructor as Float32ArrayConstructor)(length * parts.length);
      for (const [index, part] of parts.entries()) data.set(part.data as Float32Array, index * length);
      return [[name, { ...joined, data }]];
    }),
  );
}

function partOf(run: Tensors, part: number, parts: number): Tensors {
  const count = Object.values(run)[0]?.dims[0] ?? parts;
  return sliceRun(run, Math.floor((part * count) / parts), Math.floor(((part + 1) * count) / parts));
}
