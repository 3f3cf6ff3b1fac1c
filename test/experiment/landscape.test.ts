import { describe, expect, test } from 'vitest';
import { cnn6, plainNet } from '../../models/architectures.js';
import { onnx } from '../../proto/onnx.js';
import { createRandom, normal } from '../../src/base/random.js';
import { sha256 } from '../../src/base/sha256.js';
import {
  type LandscapeSource,
  lossLandscape,
  randomDirection,
  trainedWeights,
} from '../../src/experiment/landscape.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import type { Tensor } from '../../src/providers/tensor.js';
import { filterNumbers } from '../../src/train/filters.js';
import { createTrainer } from '../../src/train/train-model.js';
import { readFashion } from '../support/fashion.js';
import { decode } from '../support/graph.js';

const provider = nodeProvider('cpu');
const IMAGES = 24;
const { images, labels } = readFashion('train', IMAGES);
const input: Tensor = { elemType: 'f32', dims: [IMAGES, 1, 28, 28], data: images };
const samples = { inputs: { images: input }, targets: labels };

const net = cnn6({ widths: [2, 3], hidden: 4 });
const openTrained = async () => {
  const trainer = await createTrainer(net, { ...samples, batch: 8, provider, batchNorm: 'train' });
  for await (const _ of trainer);
  return trainer;
};

/** The mean cross-entropy of a model whose weights were exchanged, by ONNX Runtime and this formula. */
async function directLoss(weights: ReadonlyMap<string, ArrayLike<number>>): Promise<number> {
  const message = decode(net);
  for (const tensor of message.graph?.initializer ?? []) {
    const values = weights.get(tensor.name ?? '');
    if (values !== undefined) tensor.rawData = new Uint8Array(Float32Array.from(values).buffer);
  }
  const session = await provider.open(onnx.ModelProto.encode(message).finish());
  const { scores: output } = await session.run({ images: input });
  const scores = Array.from(output?.data ?? [], Number);
  await session.close();
  const losses = labels.map((label, row) => {
    const sum = scores.slice(10 * row, 10 * row + 10).reduce((total, score) => total + Math.exp(score), 0);
    return Math.log(sum) - (scores[10 * row + label] ?? 0);
  });
  return losses.reduce((total, loss) => total + loss, 0) / losses.length;
}

test('five points equal the loss of models with these weights', async () => {
  const trainer = await openTrained();
  const source = trainedWeights(trainer, samples);
  const { losses, ...rest } = await lossLandscape(source, { seed: 4, points: 5, span: 0.8 });
  await trainer.close();
  expect(rest).toMatchObject({ points: 5, span: 0.8, images: IMAGES });
  const directions = [0, 1].map((number) => randomDirection(source.weights, 4, number));
  for (const [column, row] of [
    [2, 2],
    [0, 0],
    [4, 1],
    [1, 3],
    [3, 4],
  ] as const) {
    const [a, b] = [column, row].map((index) => -0.8 + 0.4 * index);
    const moved = new Map(
      [...source.weights].map(([name, { values }]) => {
        const [first, second] = directions.map((direction) => direction.get(name));
        const at = (index: number) => (a ?? 0) * (first?.[index] ?? 0) + (b ?? 0) * (second?.[index] ?? 0);
        return [name, values.map((value, index) => value + at(index))] as const;
      }),
    );
    expect(losses[5 * row + column]).toBeCloseTo(await directLoss(moved), 5);
  }
});

const NONE = new Float32Array(0);

/** A source whose loss is a function of both weights' values. */
function sourceOf(
  values: Readonly<Record<string, readonly number[]>>,
  loss: (weights: ReadonlyMap<string, Float32Array>) => number,
): LandscapeSource {
  const weights = Object.entries(values).map(([name, list]) => {
    const filters = name.startsWith('bias') ? undefined : { dims: [list.length], axes: [] };
    return [name, { values: Float32Array.from(list), filters }] as const;
  });
  return {
    weights: new Map(weights),
    lossAt: async (moved) => ({ loss: loss(moved), losses: new Float64Array(7) }),
  };
}

test('the landscape of a quadratic is that quadratic', async () => {
  const source = sourceOf({ w: [1, -2, 0.5, 3], bias: [4] }, (moved) => {
    const [w = NONE, bias = NONE] = [moved.get('w'), moved.get('bias')];
    return w.reduce((sum, value) => sum + value * value, 0) + (bias[0] ?? 0);
  });
  const { losses, roughness } = await lossLandscape(source, { points: 9, span: 0.5, seed: 2 });
  const w = Float64Array.of(1, -2, 0.5, 3);
  const [first, second] = [0, 1].map((number) => randomDirection(source.weights, 2, number).get('w') ?? w);
  const dot = (x: Float64Array = w, y: Float64Array = w) =>
    x.reduce((sum, value, at) => sum + value * (y[at] ?? 0), 0);
  for (let row = 0; row < 9; row++)
    for (let column = 0; column < 9; column++) {
      const [a, b] = [(column - 4) / 8, (row - 4) / 8];
      // |w + a d + b e|² with |d| = |e| = |w|; the bias stays.
      const exact =
        (1 + a * a + b * b) * dot() +
        2 * a * dot(w, first) +
        2 * b * dot(w, second) +
        2 * a * b * dot(first, second) +
        4;
      expect(losses[9 * row + column]).toBeCloseTo(exact, 4);
    }
  expect(roughness).toBeLessThan(1e-9);
});

describe('directions', () => {
  const random = createRandom(8);
  const values = Float32Array.from({ length: 12 }, (_, at) => (at < 3 ? 0 : normal(random)));
  const filters = { dims: [4, 3], axes: [0] };
  const weights = new Map([
    ['w', { values, filters }],
    ['b', { values: Float32Array.of(1, 2), filters: undefined }],
  ]);
  const direction = randomDirection(weights, 3, 0);
  const norms = (list: ArrayLike<number>) => {
    const sums = [0, 0, 0, 0];
    for (const [at, filter] of filterNumbers(filters).entries())
      sums[filter] = (sums[filter] ?? 0) + (list[at] ?? 0) ** 2;
    return sums.map(Math.sqrt);
  };

  test('each filter has the norm of the weight’s filter; biases have no direction', () => {
    const found = norms(direction.get('w') ?? []);
    for (const [filter, norm] of norms(values).entries()) expect(found[filter]).toBeCloseTo(norm, 6);
    expect(found[0]).toBe(0);
    expect([...direction.keys()]).toEqual(['w']);
  });

  test('nets with other weights get the same directions, up to the norms', () => {
    const others = new Map([['w', { values: values.map((value) => 2 * value + 1e-9), filters }]]);
    const twice = randomDirection(others, 3, 0).get('w') ?? [];
    for (const [at, value] of (direction.get('w') ?? []).entries())
      if (at >= 3) expect(twice[at]).toBeCloseTo(2 * value, 5);
    for (const [seed, number] of [[3, 1], [4, 0]] as const) // biome-ignore format: pairs
      expect(randomDirection(weights, seed, number).get('w')).not.toEqual(direction.get('w'));
  });
});

test('the same seed gives the same bytes', async () => {
  const digest = async (seed: number) => {
    const trainer = await createTrainer(plainNet({ layers: 2, width: 8 }), {
      ...samples,
      batch: 8,
      provider,
    });
    for await (const _ of trainer);
    const landscape = await lossLandscape(trainedWeights(trainer, samples), { points: 3, seed });
    await trainer.close();
    return sha256(JSON.stringify(landscape));
  };
  const first = await digest(1);
  expect(await digest(1)).toBe(first);
  expect(await digest(2)).not.toBe(first);
});

test('a loss that is not finite is null', async () => {
  const source = sourceOf({ w: [1] }, (moved) => ((moved.get('w')?.[0] ?? 0) > 1.5 ? Number.NaN : 1));
  const { losses } = await lossLandscape(source, { points: 5, span: 1 });
  expect(losses.filter((loss) => loss === null).length).toBeGreaterThan(0);
  expect(losses).toContain(1);
});

test('progress is reported, and an abort ends the calculation', async () => {
  const steps: number[] = [];
  const stop = new AbortController();
  const onProgress = (done: number, of: number, left: number) => {
    expect(of).toBe(9);
    expect(left).toBeGreaterThanOrEqual(0);
    steps.push(done);
    if (done === 4) stop.abort();
  };
  const run = lossLandscape(
    sourceOf({ w: [1] }, () => 1),
    { points: 3, signal: stop.signal, onProgress },
  );
  await expect(run).rejects.toMatchObject({ code: 'aborted' });
  expect(steps).toEqual([1, 2, 3, 4]);
});

test.each([
  { points: 2 },
  { points: 4.5 },
  { points: 1e9 },
  { span: 0 },
  { span: Number.POSITIVE_INFINITY },
  { span: Number.NaN },
])('%o is refused', async (options) => {
  await expect(
    lossLandscape(
      sourceOf({ w: [1] }, () => 1),
      options,
    ),
  ).rejects.toMatchObject({ code: 'bad-usage' });
});
