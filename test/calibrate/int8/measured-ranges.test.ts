import fc from 'fast-check';
import { expect, test } from 'vitest';
import { onnx } from '../../../proto/onnx.js';
import { createRandom, normal } from '../../../src/base/random.js';
import { floatVersion } from '../../../src/calibrate/int8/float-version.js';
import { measureRanges } from '../../../src/calibrate/int8/measured-ranges.js';
import { getProvider } from '../../../src/node/provider-by-name.js';
import { modelFromBytes } from '../../../src/providers/loaded-model.js';
import { floats, model, node, value } from '../../support/model.js';

const WIDTH = 12;
const RUNS = 4;

const pair = (from: string, to = `${from}_d`) => [
  node('QuantizeLinear', [from, 's', 'z'], [`${from}_q`]),
  node('DequantizeLinear', [`${from}_q`, 's', 'z'], [to]),
];

/** A quantised MatMul, some nodes of its output `h_d`, and quantised results. */
function netOf(nodes: onnx.INodeProto[], results: readonly string[]): Uint8Array {
  const random = createRandom(3);
  const weights = Array.from({ length: WIDTH ** 2 }, () => normal(random));
  return model({
    nodes: [
      ...pair('x'),
      node('MatMul', ['x_d', 'w'], ['h']),
      ...pair('h'),
      ...nodes,
      ...results.flatMap((name) => pair(name)),
    ],
    initializers: [
      floats('w', [WIDTH, WIDTH], weights),
      floats('s', [], [0.25]),
      { name: 'z', dims: [], dataType: onnx.TensorProto.DataType.INT8, int32Data: [0] },
    ],
    inputs: [value('x', 1, ['N', WIDTH])],
    outputs: results.map((name) => value(`${name}_d`, 1)),
  });
}

/** Returns the ranges that hold all numbers of random samples, by the outputs of the QuantizeLinear nodes. */
async function rangesOf(bytes: Uint8Array) {
  const floatNet = await floatVersion(await modelFromBytes(bytes));
  const random = createRandom(5);
  const feeds = Array.from({ length: RUNS }, () => ({
    x: {
      elemType: 'f32',
      dims: [1, WIDTH],
      data: Float32Array.from({ length: WIDTH }, () => normal(random)),
    },
  }));
  const options = { provider: getProvider('cpu') };
  const rangesBy = await measureRanges(
    floatNet,
    { sites: [] },
    floatNet.model,
    { feeds, runs: RUNS },
    options,
  );
  return rangesBy('minmax').byName;
}

test('all parts of a Split have the range of its input, as an int8 Split needs them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(2, 3, 4, 6), async (count) => {
      const parts = Array.from({ length: count }, (_, at) => `part${at}`);
      const split = node('Split', ['h_d'], parts, { axis: 1, num_outputs: count });
      const ranges = await rangesOf(netOf([split], parts));
      const whole = ranges.get('h_q');
      expect(whole?.most).toBeGreaterThan(0);
      expect(parts.map((part) => ranges.get(`${part}_q`))).toEqual(parts.map(() => whole));
    }),
    { numRuns: 4 },
  );
});

/** Operators with the ends of their range; undefined where an end depends on the input. */
const OPERATORS = [
  ['Sigmoid', 0, 1],
  ['Softmax', 0, 1],
  ['Tanh', -1, 1],
  ['HardSigmoid', 0, 1],
  ['Erf', -1, 1],
  ['LogSoftmax', undefined, 0],
  ['Softplus', 0, undefined],
  ['Softsign', -1, 1],
] as const;

test.each(OPERATORS)(
  'a range is measured behind %s, unless both of its ends are known',
  async (op, ...ends) => {
    const range = (await rangesOf(netOf([node(op, ['h_d'], ['p'])], ['p']))).get('p_q');
    if (ends.includes(undefined)) expect(range).toBeDefined();
    const [least = 0, most = 0] = ends;
    if (range !== undefined) {
      expect(range.least).toBeLessThanOrEqual(0);
      expect(range.most).toBeLessThanOrEqual(ends[1] === undefined ? Infinity : most);
      expect(range.least).toBeGreaterThanOrEqual(ends[0] === undefined ? -Infinity : least);
    }
  },
);
