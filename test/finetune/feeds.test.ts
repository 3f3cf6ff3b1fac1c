import { expect, test } from 'vitest';
import { arraySamples } from '../../src/data/samples.js';
import { feedsOf } from '../../src/finetune/feeds.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { model, node, value } from '../support/model.js';

const net = (batch: number | string) =>
  modelFromBytes(
    model({
      nodes: [node('Relu', ['x'], ['y'])],
      inputs: [value('x', 1, [batch, 1])],
      outputs: [value('y', 1, [batch, 1])],
    }),
  );

/** Returns the samples of each run. */
async function runsOf(count: number, most: number, batch: number | string, hasRest: boolean) {
  const data = Float32Array.from({ length: count }, (_, at) => at);
  const inputs = arraySamples({ x: { elemType: 'f32', dims: [count, 1], data } }, [
    { name: 'x', elemType: 'f32', inner: [1] },
  ]);
  const part = { inputs, count, targets: new Float32Array(count) };
  const feeds = feedsOf(part, await net(batch), most, { hasRest });
  const runs: number[][] = [];
  for await (const { x } of feeds) runs.push(Array.from(x?.data as Float32Array));
  expect(runs).toHaveLength(feeds.length);
  expect(runs.flat()).toHaveLength(feeds.samples);
  const read = runs.flat();
  if (count <= most) expect(read).toEqual(Array.from({ length: feeds.samples }, (_, at) => at));
  expect(read).toEqual([...new Set(read)].sort((a, b) => a - b));
  return { samples: feeds.samples, sizes: runs.map(({ length }) => length), read };
}

const COUNTS = [1, 15, 16, 17, 64, 211];

test.each(COUNTS)('%i samples are read whole, in runs of 16 and their rest', async (count) => {
  for (const most of [64, 100, 256]) {
    const { samples, sizes } = await runsOf(count, most, 'N', true);
    expect(samples).toBe(Math.min(count, most));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(16);
  }
});

test.each(COUNTS)('%i samples are read in equal runs where these are needed', async (count) => {
  for (const [batch, hasRest] of [
    ['N', false],
    [4, false],
    [4, true],
  ] as const) {
    // biome-ignore format: a list
    const { samples, sizes } = await runsOf(count, 256, batch, hasRest);
    const each = batch === 4 ? 4 : Math.min(16, count);
    expect(samples).toBe(count - (count % each));
    expect(new Set(sizes).size).toBeLessThanOrEqual(1);
  }
});

test.each([
  ['sorted by class', (at: number, count: number) => Math.floor((4 * at) / count)],
  ['in turns', (at: number) => at % 4],
] as const)('of many samples %s, each class is read in proportion', async (_, classOf) => {
  for (const [count, most] of [
    [1000, 64],
    [1024, 256],
    [4096, 512],
    [2051, 256],
  ] as const) {
    for (const batch of ['N', 8]) {
      const { samples, read } = await runsOf(count, most, batch, false);
      const counts = [0, 1, 2, 3].map((one) => read.filter((at) => classOf(at, count) === one).length);
      // The deviation of a share of a quarter, five times.
      for (const one of counts)
        expect(Math.abs(one - samples / 4), `${counts}`).toBeLessThan(2.2 * Math.sqrt(samples));
      expect(await runsOf(count, most, batch, false)).toEqual({ samples, read, sizes: expect.anything() });
    }
  }
});
