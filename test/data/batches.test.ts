import { expect, test } from 'vitest';
import { createRandom } from '../../src/base/random.js';
import { endlessFeeds } from '../../src/data/batches.js';
import type { Feeds } from '../../src/data/dataset.js';
import type { Tensors } from '../../src/providers/tensor.js';

const runOf = (size: number): Tensors => ({
  x: { elemType: 'f32', dims: [size], data: new Float32Array(size) },
});
const sizeOf = (feeds: Tensors) => feeds.x?.dims[0] ?? 0;
const isOdd = (feeds: Tensors) => sizeOf(feeds) % 2 === 1;

async function take(feeds: Feeds, count: number, seed = 1): Promise<number[]> {
  const batches = endlessFeeds(feeds, isOdd, createRandom(seed));
  const sizes: number[] = [];
  for (let turn = 0; turn < count; turn++) sizes.push(sizeOf((await batches.next()).value));
  return sizes;
}

test('runs of an array come in an order that the seed decides', async () => {
  const feeds = [1, 2, 3, 4, 5].map(runOf);
  const sizes = await take(feeds, 200);
  expect(new Set(sizes)).toEqual(new Set([1, 3, 5]));
  expect(await take(feeds, 200)).toEqual(sizes);
  expect(await take(feeds, 200, 2)).not.toEqual(sizes);
});

test('lazy runs come in order, repeatedly', async () => {
  async function* made() {
    for (const size of [1, 2, 3]) yield runOf(size);
  }
  const feeds = { length: 3, [Symbol.asyncIterator]: made };
  expect(await take(feeds, 5)).toEqual([1, 3, 1, 3, 1]);
});
