import { expect, test } from 'vitest';
import { createRandom, normal } from '../../../src/base/random.js';
import type { CalibrateOptions } from '../../../src/calibrate/options.js';
import { calibrate } from '../../../src/node/calibrate-files.js';
import type { Tensors } from '../../../src/providers/tensor.js';
import { tensorOf, weightsOf } from '../../support/linear-ops.js';
import { type ModelParts, model, node, value } from '../../support/model.js';
import { f32, run } from '../../support/run.js';

const WIDTH = 8;
const SEEDS = [1, 2];

const initializers = (seed: number) =>
  [1, 2, 3].flatMap((layer) => [
    tensorOf(`w${layer}`, [WIDTH, WIDTH], weightsOf([WIDTH, WIDTH], 10 * seed + layer)),
    tensorOf(`b${layer}`, [WIDTH], weightsOf([WIDTH], 20 * seed + layer)),
  ]);

type Layer = (x: string, y: string, at: number) => ModelParts['nodes'];

/** Ways to write a layer with the weights and the bias of this number, or without a bias. */
const LAYERS: readonly (readonly [name: string, layer: Layer])[] = [
  ['Gemm', (x, y, at) => [node('Gemm', [x, `w${at}`, `b${at}`], [y])]],
  [
    'MatMul and Add',
    (x, y, at) => [node('MatMul', [x, `w${at}`], [`${y}m`]), node('Add', [`${y}m`, `b${at}`], [y])],
  ],
  ['MatMul', (x, y, at) => [node('MatMul', [x, `w${at}`], [y])]],
];

/** The layers of a tower, which reads its weights through Identity nodes as PyTorch's older exporter writes them. */
const aliased =
  (layer: Layer): Layer =>
  (x, y, at) => {
    const names = [`w${at}`, `b${at}`];
    const nodes = layer(x, y, at);
    for (const one of nodes)
      one.input = one.input?.map((name) => (names.includes(name) ? `${name}_2` : name)) ?? null;
    return [...names.map((name) => node('Identity', [name], [`${name}_2`])), ...nodes];
  };

/** Nodes that read the shapes of weights, as for a bias of zeros. */
const shapesOf = (...names: string[]) => names.map((name) => node('Shape', [name], [`${name}_shape`]));

/** Two towers of three layers with the same weights; their outputs are subtracted. */
function twins(layer: Layer, seed: number, second = layer): Uint8Array {
  const tower = (x: string, layer: Layer) => [
    ...layer(x, `${x}1`, 1),
    node('Relu', [`${x}1`], [`${x}2`]),
    ...layer(`${x}2`, `${x}3`, 2),
    node('Relu', [`${x}3`], [`${x}4`]),
    ...layer(`${x}4`, `${x}5`, 3),
  ];
  return model({
    nodes: [
      ...shapesOf('w1', 'w2', 'w3'),
      ...tower('p', layer),
      ...tower('q', second),
      node('Sub', ['p5', 'q5'], ['y']),
    ],
    initializers: initializers(seed),
    inputs: ['p', 'q'].map((name) => value(name, 1, ['N', WIDTH])),
    outputs: [value('y', 1, ['N', WIDTH])],
  });
}

/** A layer that is applied four times, one after the other. */
function loop(layer: Layer, seed: number): Uint8Array {
  const step = (at: number) => [node('Relu', [`h${at}`], [`a${at}`]), ...layer(`a${at}`, `h${at + 1}`, 2)];
  return model({
    nodes: [...layer('p', 'h0', 1), ...[0, 1, 2, 3].flatMap(step), node('Identity', ['h4'], ['y'])],
    initializers: initializers(seed),
    inputs: [value('p', 1, ['N', WIDTH])],
    outputs: [value('y', 1, ['N', WIDTH])],
  });
}

async function calibrated(bytes: Uint8Array, inputs: readonly string[], options: Partial<CalibrateOptions>) {
  const random = createRandom(5);
  const drawn = () => Float32Array.from({ length: WIDTH }, () => 2 * normal(random));
  const feeds = Array.from({ length: 96 }, () =>
    Object.fromEntries(
      inputs.map((name) => [name, { elemType: 'f32', dims: [1, WIDTH], data: drawn() }] as const),
    ),
  ) satisfies Tensors[];
  const { output, report } = await calibrate(bytes, { data: () => ({ source: 'npz', feeds }), ...options });
  const gain = (report.calibrated.drift[0]?.sqnr ?? 0) - (report.swapped.drift[0]?.sqnr ?? 0);
  return { bytes: await output.bytes(), report, gain };
}

test.each([
  ...LAYERS,
  ...LAYERS.map(([name, layer]) => [`${name}, the second through Identity,`, layer, aliased(layer)] as const),
])(
  'two towers of %s with the same weights are repaired together, and keep them',
  async (_, layer, second = layer) => {
    for (const [at, seed] of SEEDS.entries()) {
      const { bytes, report, gain } = await calibrated(twins(layer, seed, second), ['p', 'q'], {
        ...{ steps: 0, beta: at === 0 ? undefined : 1 },
      });
      expect([report.leftAlone, report.layers.length, report.kept]).toEqual([[], 2, 'calibrated']);
      expect(report.notes.join()).not.toContain('stored twice');
      expect(gain).toBeGreaterThan(1.5);
      // With the same input, two towers with the same weights give the same.
      const same = f32([...weightsOf([WIDTH], seed)], [1, WIDTH]);
      expect((await run(bytes, { p: same, q: same })).y?.every((one) => Math.abs(one) < 1e-5)).toBe(true);
    }
  },
);

test('a layer that is applied to its own outputs is moved by gradient steps alone', async () => {
  const [, layer] = LAYERS[0] ?? [];
  if (layer === undefined) throw new Error('no layer');
  const { report, gain } = await calibrated(loop(layer, 1), ['p'], { steps: 30, beta: 1 });
  expect(report.layers).toEqual([]);
  expect(report.leftAlone).toMatchObject([
    { op: 'Gemm', why: expect.stringContaining('gradient steps alone') },
  ]);
  expect(report.tuning?.after).toBeLessThan(report.tuning?.before ?? 0);
  expect(gain).toBeGreaterThan(1);
});
