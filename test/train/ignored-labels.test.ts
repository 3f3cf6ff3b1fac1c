import { expect, test } from 'vitest';
import { createRandom, normal } from '../../src/base/random.js';
import { resultsOf, scoreOf } from '../../src/finetune/arm.js';
import { mean } from '../../src/metrics/statistics.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import type { Evaluation } from '../../src/train/evaluate.js';
import { createTrainer, type ProviderTrainerOptions } from '../../src/train/index.js';
import { floats, model, node, value } from '../support/model.js';

const provider = nodeProvider('cpu');
const [COUNT, CLASSES, WIDTH] = [24, 3, 4];

/** A convolution from one channel to a score of each class at each pixel. */
const perPixel = model({
  nodes: [node('Conv', ['x', 'w', 'b'], ['y'])],
  initializers: [
    floats('w', [CLASSES, 1, 1, 1], [0.5, -0.5, 0.1]),
    floats('b', [CLASSES], Array(CLASSES).fill(0)),
  ],
  inputs: [value('x', 1, ['N', 1, WIDTH, WIDTH])],
  outputs: [value('y', 1, ['N', CLASSES, WIDTH, WIDTH])],
});
/** The same for a score of each class for each sample. */
const perSample = model({
  nodes: [node('Gemm', ['x', 'w', 'b'], ['y'])],
  initializers: [floats('w', [1, CLASSES], [0.5, -0.5, 0.1]), floats('b', [CLASSES], Array(CLASSES).fill(0))],
  inputs: [value('x', 1, ['N', 1])],
  outputs: [value('y', 1, ['N', CLASSES])],
});

const SHAPES = { pixels: [perPixel, [WIDTH, WIDTH]], samples: [perSample, []] } as const;
const inner = (dims: readonly number[]) => (dims.length === 0 ? [1] : [1, ...dims]);

/** Labelled samples, where `ignore` says which labels are ignored; their inputs are `noise`. */
function samples(
  dims: readonly number[],
  ignoreLabel: number,
  ignore: (at: number) => boolean,
  noise: number,
) {
  const places = dims.reduce((product, dim) => product * dim, 1);
  const random = createRandom(5);
  const values = Float32Array.from({ length: COUNT * places }, () => normal(random));
  const data = Float32Array.from(values, (one) => (one > 0.5 ? 0 : one > -0.5 ? 1 : 2));
  for (const [at] of data.entries()) {
    if (!ignore(at)) continue;
    data[at] = ignoreLabel;
    values[at] = noise;
  }
  return {
    inputs: { x: { elemType: 'f32' as const, dims: [COUNT, ...inner(dims)], data: values } },
    targets: { elemType: 'f32' as const, dims: [COUNT, ...dims], data },
  };
}

async function trained(bytes: Uint8Array, options: ProviderTrainerOptions) {
  const trainer = await createTrainer(bytes, options);
  for await (const _ of trainer);
  const evaluation = await trainer.evaluate(options);
  await trainer.close();
  return { evaluation, epochs: trainer.epochs, weights: trainer.weights(), remarks: trainer.remarks };
}

test.each(Object.entries(SHAPES))(
  'what has an ignored label moves no weight: %s',
  async (_, [bytes, dims]) => {
    const settings = { provider, batch: 8, epochs: 3, rate: 0.05, labelSmoothing: 0.1 };
    // The first eight samples may be a batch without any label.
    const ignore = (at: number) => at % 3 === 0 || at < COUNT / 2;
    const runs = [];
    for (const [label, noise] of [
      [-100, 7],
      [255, -30],
    ] as const) {
      const ignoreLabel = label === -100 ? undefined : label;
      runs.push(await trained(bytes, { ...samples(dims, label, ignore, noise), ...settings, ignoreLabel }));
    }
    const [first, second] = runs;
    expect(first?.weights).toEqual(second?.weights);
    expect(first?.evaluation.accuracy).toBe(second?.evaluation.accuracy);
    expect(first?.evaluation.loss).toBe(second?.evaluation.loss);
    expect(second?.remarks.find(({ code }) => code === 'ignored-labels')?.text).toMatch(
      /training labels .* are 255/,
    );
    expect(first?.epochs.every(({ loss, accuracy }) => loss > 0 && accuracy !== null && accuracy <= 1)).toBe(
      true,
    );
  },
);

test('a batch whose labels are all ignored changes nothing', async () => {
  const all = samples([], -100, (at) => at !== 3 && at !== 4, 1);
  const { epochs, weights } = await trained(perSample, {
    ...all,
    provider,
    batch: 1,
    epochs: 1,
    optimizer: { kind: 'sgd' },
  });
  expect(Number.isFinite(epochs[0]?.loss)).toBe(true);
  const alone = samples([], -100, () => false, 1);
  const pick = (data: Float32Array) => Float32Array.of(data[3] ?? 0, data[4] ?? 0);
  const two = {
    inputs: { x: { elemType: 'f32' as const, dims: [2, 1], data: pick(alone.inputs.x.data) } },
    targets: [...pick(alone.targets.data)],
  };
  const { epochs: expected } = await trained(perSample, {
    ...two,
    provider,
    batch: 1,
    epochs: 1,
    optimizer: { kind: 'sgd' },
  });
  // Both see the samples 3 and 4, with other rates.
  expect(epochs[0]?.accuracy).toBe(expected[0]?.accuracy);
  for (const values of weights.values()) expect(values.every(Number.isFinite)).toBe(true);
});

test('a teacher says nothing where a label is ignored', async () => {
  const settings = { provider, batch: 8, epochs: 2, rate: 0.05, teacher: { model: perPixel, share: 0.7 } };
  const ignore = (at: number) => at % 2 === 0;
  const [first, second] = [3, -40].map((noise) =>
    trained(perPixel, { ...samples([WIDTH, WIDTH], -100, ignore, noise), ...settings }),
  );
  expect((await first)?.weights).toEqual((await second)?.weights);
});

test.each([
  ['a label outside the classes', {}, /label 255 of sample 0 is outside/],
  ['nothing but ignored labels', { ignoreLabel: 255 }, /all labels are 255, which is ignored/],
  ['an ignored label that is not whole', { ignoreLabel: 0.5 }, /must be an integer/],
  ['an ignored label for another loss', { ignoreLabel: 255, loss: 'bce' }, /bce has no labels to ignore/],
] as const)('%s is refused', async (_, options, message) => {
  const given = samples([], 255, () => true, 0);
  await expect(createTrainer(perSample, { ...given, ...options, provider })).rejects.toThrow(message);
});

test('scores of samples weigh what counts in them, and leave out samples without labels', () => {
  const evaluation: Evaluation = {
    ...{ loss: 0, accuracy: 5 / 8, predictions: null, perSample: 6, meanIou: null, multiLabel: null },
    losses: Float64Array.of(1, 0, 3),
    correct: Uint32Array.of(3, 0, 2),
    counted: Uint32Array.of(6, 0, 2),
  };
  const { losses, correct } = resultsOf(evaluation);
  expect(mean(Array.from(correct ?? []))).toBeCloseTo(5 / 8, 12);
  expect(mean(Array.from(losses))).toBeCloseTo((1 * 6 + 3 * 2) / 8, 12);
  expect([losses.length, correct?.length]).toEqual([2, 2]);
  const labelled = { ...evaluation, correct: Uint32Array.of(3, 2), counted: Uint32Array.of(6, 2) };
  expect(scoreOf(evaluation).interval).toEqual(scoreOf(labelled).interval);
});

test('a part whose labels are all ignored is named, with the label that is ignored', async () => {
  const part = (
    name: 'training' | 'validation' | 'test',
    ignore: (at: number) => boolean,
    label: number,
  ) => ({
    ...samples([], label, ignore, 1),
    origin: { name: 'data.npz', part: name },
  });
  for (const label of [255, -100, -1, 7]) {
    const ignoreLabel = label;
    const train = part('training', (at) => at % 2 === 0, label);
    const options = { ...train, provider, batch: 4, epochs: 1, ignoreLabel };
    const message = (name: string) =>
      `data.npz: all labels of the ${name} part are ${label}, which is ignored`;
    const all = part('training', () => true, label);
    await expect(createTrainer(perSample, { ...options, ...all })).rejects.toThrow(message('training'));
    const validation = part('validation', () => true, label);
    await expect(createTrainer(perSample, { ...options, validation })).rejects.toThrow(message('validation'));
    const trainer = await createTrainer(perSample, options);
    await expect(trainer.evaluate(part('test', () => true, label))).rejects.toThrow(message('test'));
    await trainer.close();
  }
});
