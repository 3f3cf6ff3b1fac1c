import { zipSync } from 'fflate';
import { expect, test } from 'vitest';
import { cnn6 } from '../../models/architectures.js';
import type { onnx } from '../../proto/onnx.js';
import { prepareExperiment } from '../../src/experiment/prepare.js';
import { openRun } from '../../src/experiment/train-run.js';
import { labelledArrays } from '../../src/finetune/labelled-arrays.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { cli } from '../support/cli.js';
import { readFashion } from '../support/fashion.js';
import { tempFolder } from '../support/folder.js';
import { floats, model, node, value } from '../support/model.js';
import { npy, raw } from '../support/numpy.js';

/** A convolution, ReLU and a dense layer, without batch normalisation. */
const plain = model({
  nodes: [
    node('Conv', ['images', 'w'], ['c']),
    node('Relu', ['c'], ['r']),
    node('GlobalAveragePool', ['r'], ['p']),
    node('Flatten', ['p'], ['f']),
    node('Gemm', ['f', 'd'], ['scores']),
  ],
  initializers: [floats('w', [2, 1, 3, 3], Array(18).fill(0.1)), floats('d', [2, 10], Array(20).fill(0.1))],
  inputs: [value('images', 1, ['N', 1, 28, 28])],
  outputs: [value('scores', 1, ['N', 10])],
});
const SAMPLES = 40;
const { images, labels } = readFashion('train', SAMPLES);

/** Opens a run, and returns the treatment of batch normalisation, the warnings and the names of the trained weights. */
async function opened(net: Uint8Array, batchNorm?: boolean) {
  const x = { elemType: 'f32', dims: [SAMPLES, 1, 28, 28], data: images };
  const experiment = await prepareExperiment(await modelFromBytes(net), {
    data: (inputs) => labelledArrays({ images: x }, labels, inputs),
    ...{ batchNorm, activations: ['relu'], epochs: 1, batch: 8, seeds: 1, landscape: false },
    provider: nodeProvider('cpu'),
    session: { threads: 1 },
  });
  const trainer = await openRun(experiment, { activation: 'relu', seed: 0 });
  await trainer.close();
  return { kind: experiment.batchNorm, warnings: experiment.warnings, trained: trainer.trained.length };
}

test('a net without batch normalisation gets one behind each convolution by default and with --bn, not with --no-bn', async () => {
  const [byDefault, bn, none] = [await opened(plain), await opened(plain, true), await opened(plain, false)];
  expect(byDefault).toEqual(bn);
  expect([bn.kind, none.kind]).toEqual(['insert', 'train']);
  expect(bn.trained).toBeGreaterThan(none.trained); // scale and bias of each
  expect(bn.warnings).not.toContainEqual(expect.stringContaining('without batch normalisation'));
  expect(none.warnings).toContainEqual(expect.stringContaining('without batch normalisation'));
});

test('a net with batch normalisation keeps its own, whatever is chosen', async () => {
  const net = cnn6({ widths: [2, 3], hidden: 4 });
  const [byDefault, bn, none] = [await opened(net), await opened(net, true), await opened(net, false)];
  expect(byDefault).toEqual(none);
  expect([byDefault.kind, bn.kind]).toEqual(['train', 'insert']);
  expect(bn.trained).toBe(byDefault.trained); // no convolution lacks one
  expect(none.warnings).toEqual(byDefault.warnings);
});

/** The nodes of a normalisation of c to n, in each of the ways in which exporters write one. */
const OTHER_NORMS: readonly (readonly [string, onnx.INodeProto[]])[] = [
  ['InstanceNormalization', [node('InstanceNormalization', ['c', 'one', 'one'], ['n'])]],
  ['LayerNormalization', [node('LayerNormalization', ['c', 'wide'], ['n'])]],
  ['MeanVarianceNormalization', [node('MeanVarianceNormalization', ['c'], ['n'])]],
  ['a layer normalisation that is written out', [
    node('ReduceMean', ['c'], ['m'], { axes: [1, 2, 3] }),
    node('Sub', ['c', 'm'], ['e']),
    node('Mul', ['e', 'e'], ['q']),
    node('ReduceMean', ['q'], ['v'], { axes: [1, 2, 3] }),
    node('Sqrt', ['v'], ['s']),
    node('Div', ['e', 's'], ['n']),
  ]], // biome-ignore format: a row
];

test.each(OTHER_NORMS)('a net with %s gets a batch normalisation with --bn only', async (_, norm) => {
  const net = model({
    opset: 17,
    nodes: [
      node('Conv', ['images', 'w'], ['c']),
      ...norm,
      node('Relu', ['n'], ['r']),
      node('GlobalAveragePool', ['r'], ['p']),
      node('Flatten', ['p'], ['f']),
      node('Gemm', ['f', 'd'], ['scores']),
    ],
    initializers: [
      floats('w', [2, 1, 3, 3], Array(18).fill(0.1)),
      floats('d', [2, 10], Array(20).fill(0.1)),
      floats('one', [2], [1, 1]),
      floats('wide', [26], Array(26).fill(1)),
    ],
    inputs: [value('images', 1, ['N', 1, 28, 28])],
    outputs: [value('scores', 1, ['N', 10])],
  });
  const [byDefault, bn, none] = [await opened(net), await opened(net, true), await opened(net, false)];
  expect(byDefault).toEqual(none);
  expect([byDefault.kind, bn.kind, byDefault.warnings]).toEqual(['train', 'insert', []]);
  expect(bn.trained).toBe(none.trained + 2);
});

test.each([
  ['--bn', 'insert'],
  ['--no-bn', 'train'],
])('%s reaches the report', async (flag, kind) => {
  const folder = await tempFolder();
  await folder.write('m.onnx', plain);
  const y = npy('|u1', [SAMPLES], Uint8Array.from(labels));
  await folder.write(
    'd.npz',
    zipSync({ 'images.npy': npy('<f4', [SAMPLES, 1, 28, 28], raw(images)), 'y.npy': y }),
  );
  const args = ['experiment', 'm.onnx', '--data', 'd.npz', '--labels', 'y', '--activations', 'relu', '--epochs', '1', '--seeds', '1', '--no-landscape', '--jobs', '1', '-o', 'r.json']; // biome-ignore format: one call
  const { code, stderr } = await cli([...args, flag], { cwd: folder.path });
  expect(code, stderr).toBe(0);
  const report = JSON.parse(new TextDecoder().decode(await folder.read('r.json')));
  expect(report.settings.batchNorm).toBe(kind);
  const warned = report.warnings.some((text: string) => text.includes('without batch normalisation'));
  expect(warned).toBe(kind === 'train');
});
