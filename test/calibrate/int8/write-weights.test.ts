import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { onnx } from '../../../proto/onnx.js';
import { createRandom, normal } from '../../../src/base/random.js';
import { floatVersion } from '../../../src/calibrate/int8/float-version.js';
import { dequantised, storedIntegersOf } from '../../../src/calibrate/int8/quantised-values.js';
import { writeWeights } from '../../../src/calibrate/int8/write-weights.js';
import { isDequantizer } from '../../../src/mish/quantization.js';
import { indexGraphs } from '../../../src/onnx/graph-index.js';
import { type Edit, splice } from '../../../src/onnx/splice.js';
import { readWeight, weightEdit, weightOf } from '../../../src/onnx/weights.js';
import { type EditableModel, modelFromBytes } from '../../../src/providers/loaded-model.js';
import { floats, model, node, value } from '../../support/model.js';

const folder = fileURLToPath(new URL('../../mish/int8/', import.meta.url));
const load = (name: string) => Uint8Array.from(readFileSync(`${folder}${name}.onnx`));
const { DataType } = onnx.TensorProto;

/** Multiplies every weight of a float model by a random factor around another one. */
async function changed(given: EditableModel, factor: number): Promise<EditableModel> {
  const { document } = given;
  const index = indexGraphs(document);
  const random = createRandom(7);
  const edits: Edit[] = [];
  for (const name of document.graph.initializers.keys()) {
    const weight = weightOf(index, document.graph, name);
    if (weight === undefined) continue;
    const values = await readWeight(document, weight);
    edits.push(
      await weightEdit(
        document,
        weight,
        values.map((one) => one * (factor + 0.1 * normal(random))),
      ),
    );
  }
  return given.edited(splice(document.source, edits));
}

/** Returns the numbers that each layer reads, with the largest step of its integers. */
async function layersOf({ document }: EditableModel) {
  const index = indexGraphs(document);
  const layers = new Map<string, { values: Float64Array; step: number }>();
  for (const { inputs, outputs } of document.graph.nodes)
    for (const [slot, name] of inputs.entries()) {
      const source = index.producer(document.graph, name);
      const stored = isDequantizer(source) ? await storedIntegersOf(document, index, source) : undefined;
      if (stored === undefined) continue;
      const step = Math.max(...stored.scales);
      layers.set(`${outputs[0]} ${slot}`, { values: dequantised(stored), step });
    }
  return layers;
}

async function written(target: EditableModel, from: EditableModel) {
  const { edits, tensors } = await writeWeights(target, from);
  return { model: await target.edited(splice(target.document.source, edits)), tensors };
}

/** Checks that a quantised model has the weights of a float model, rounded. */
async function expectWeights(quantised: EditableModel, from: EditableModel) {
  const index = indexGraphs(from.document);
  const layers = await layersOf(quantised);
  expect(layers.size).toBeGreaterThan(0);
  for (const { inputs, outputs } of from.document.graph.nodes)
    for (const [slot, name] of inputs.entries()) {
      const weight = weightOf(index, from.document.graph, name);
      if (weight === undefined) continue;
      const { values = new Float64Array(), step = 0 } = layers.get(`${outputs[0]} ${slot}`) ?? {};
      const wanted = await readWeight(from.document, weight);
      expect(values.length).toBe(wanted.length);
      const most = wanted.reduce(
        (worst, one, at) => Math.max(worst, Math.abs(one - (values[at] ?? Number.NaN))),
        0,
      );
      expect(most).toBeLessThanOrEqual(0.5001 * step);
    }
}

describe.each(['u8', 'u8-symmetric', 'u8-with-relu', 'i8', 'i8-symmetric'])('%s', (name) => {
  test('the weights of its own float version change nothing', async () => {
    const original = await modelFromBytes(load(name));
    const { edits, tensors } = await writeWeights(original, (await floatVersion(original)).model);
    expect(tensors).toBe(0);
    expect(edits).toEqual([]);
  });

  test.each([0.25, 1, 40])(
    'weights %d times as large are written, rounded by half a step',
    async (factor) => {
      const original = await modelFromBytes(load(name));
      const from = await changed((await floatVersion(original)).model, factor);
      const result = await written(original, from);
      expect(result.tensors).toBe(8);
      await expectWeights(result.model, from);
      expect(result.model.document.source.size).toBeLessThan(1.05 * original.document.source.size);
    },
  );
});

const integers = (name: string, dims: readonly number[], data: readonly number[], dataType: number) => ({
  ...{ name, dims: [...dims], dataType, int32Data: [...data] },
});

/** Two Gemms that read one DequantizeLinear; neither has a bias. */
function tiedNet(): Uint8Array {
  const quantise = (from: string, to: string) => [
    node('QuantizeLinear', [from, 'sx', 'zx'], [`${to}_q`]),
    node('DequantizeLinear', [`${to}_q`, 'sx', 'zx'], [to]),
  ];
  return model({
    nodes: [
      node('DequantizeLinear', ['w', 'sw', 'zw'], ['wd']),
      ...quantise('x', 'xd'),
      node('Gemm', ['xd', 'wd'], ['h']),
      ...quantise('h', 'hd'),
      node('Gemm', ['hd', 'wd'], ['y']),
    ],
    initializers: [
      integers('w', [2, 2], [10, -127, 30, 7], DataType.INT8),
      floats('sw', [], [0.02]),
      integers('zw', [], [0], DataType.INT8),
      floats('sx', [], [0.05]),
      integers('zx', [], [128], DataType.UINT8),
    ],
    inputs: [value('x', 1, ['N', 2])],
    outputs: [value('y', 1, ['N', 2])],
  });
}

test('layers that read one DequantizeLinear may get different weights, and a bias that they lacked', async () => {
  const original = await modelFromBytes(tiedNet());
  const from = await modelFromBytes(
    model({
      nodes: [node('Gemm', ['x', 'w1', 'b1'], ['h']), node('Gemm', ['h', 'w2', 'b2'], ['y'])],
      initializers: [
        floats('w1', [2, 2], [1, 2, 3, 4]),
        floats('b1', [2], [0.5, -0.25]),
        floats('w2', [2, 2], [-1, 0.5, 0.25, 8]),
        floats('b2', [2], [-3, 2]),
      ],
      inputs: [value('x', 1, ['N', 2])],
      outputs: [value('y', 1, ['N', 2])],
    }),
  );
  const result = await written(original, from);
  expect(result.tensors).toBe(4);
  await expectWeights(result.model, from);
});
