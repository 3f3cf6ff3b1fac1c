import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { biasEdit } from '../../src/onnx/add-bias.js';
import { namer } from '../../src/onnx/names.js';
import { scan } from '../../src/onnx/scan.js';
import { splice } from '../../src/onnx/splice.js';
import type { AttributeValue } from '../support/model.js';
import { floats, model, node, value } from '../support/model.js';
import { type Feed, run } from '../support/run.js';

interface Layer {
  readonly op: string;
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly attributes?: Record<string, AttributeValue>;
  /** Which axis of the output the bias goes along. */
  readonly axis: number;
  /** The name of an input that is left out. */
  readonly hole?: boolean;
}

const LAYERS: readonly Layer[] = [
  { op: 'Conv', x: [1, 2, 4, 4], w: [3, 2, 3, 3], axis: 1 },
  { op: 'Conv', x: [1, 2, 4, 4], w: [3, 2, 1, 1], axis: 1, hole: true },
  { op: 'ConvTranspose', x: [1, 2, 3, 3], w: [2, 3, 2, 2], axis: 1 },
  { op: 'Gemm', x: [2, 4], w: [3, 4], attributes: { transB: 1 }, axis: 1 },
  { op: 'Gemm', x: [2, 4], w: [4, 3], axis: 1, hole: true },
  { op: 'MatMul', x: [2, 4], w: [4, 3], axis: 1 },
  { op: 'MatMul', x: [2, 2, 4], w: [4, 3], axis: 2 },
];
const BIAS = [10, -20, 0.5];

const count = (dims: readonly number[]) => dims.reduce((product, dim) => product * dim, 1);
const wave = (dims: readonly number[]) =>
  Array.from({ length: count(dims) }, (_, at) => Math.fround(Math.sin(3 * at + 1)));

function layer({ op, x, w, attributes = {}, hole = false }: Layer, name: string) {
  const inputs = ['x', 'w', ...(hole ? [''] : [])];
  return model({
    nodes: [node('Neg', ['w'], ['other']), node(op, inputs, ['y'], attributes, { name, docString: 'kept' })],
    inputs: [value('x', 1, x)],
    outputs: [value('y', 1), value('other', 1)],
    initializers: [floats('w', w, wave(w))],
  });
}

async function biased(bytes: Uint8Array, taken: readonly string[] = []) {
  const document = await scan(bytes);
  const [, target] = document.graph.nodes;
  if (target === undefined) throw new Error('no node');
  const fresh = namer(document);
  for (const name of taken) fresh(name);
  const edit = await biasEdit(document, document.graph, target, BIAS, 'f32', fresh);
  const written = await splice(document.source, [edit]).bytes();
  return { written, target, edit, nodes: onnx.ModelProto.decode(written).graph?.node ?? [] };
}

describe.each(LAYERS)('$op on $x, hole: $hole', (one) => {
  test('outputs the old result plus the bias', async () => {
    const bytes = layer(one, 'layer');
    const { written } = await biased(bytes);
    const feeds: Record<string, Feed> = { x: { type: 'f32', dims: one.x, data: wave(one.x) } };
    const [before, after] = [await run(bytes, feeds), await run(written, feeds)];
    const { y = [] } = before;
    // Elements from one along the axis to the next: what comes after the axis in the shape.
    const inner = one.axis === 1 && one.x.length === 4 ? y.length / BIAS.length : 1;
    y.forEach((old, at) => {
      expect(after.y?.[at]).toBeCloseTo(old + (BIAS[Math.floor(at / inner) % BIAS.length] ?? Number.NaN), 4);
    });
    expect(after.y).toHaveLength(y.length);
    expect(after.other).toEqual(before.other);
  });

  test('is a single edit that replaces the node and keeps its other fields', async () => {
    const { nodes, edit, target } = await biased(layer(one, 'layer'));
    expect(edit).toMatchObject({ ...target.span, frame: target.frame });
    const [, constant, kept, added] = nodes;
    expect(constant).toMatchObject({
      opType: 'Constant',
      name: 'layer/bias',
      output: ['layer/bias'],
      attribute: [{ name: 'value', t: { dims: [3], dataType: 1 } }],
    });
    expect(kept).toMatchObject({ opType: one.op, name: 'layer', docString: 'kept' });
    if (one.op === 'MatMul') {
      expect(kept).toMatchObject({ input: ['x', 'w'], output: ['y/product'] });
      expect(added).toMatchObject({
        opType: 'Add',
        name: 'layer/add_bias',
        input: ['y/product', 'layer/bias'],
        output: ['y'],
      });
    } else {
      expect(kept).toMatchObject({ input: ['x', 'w', 'layer/bias'], output: ['y'] });
      expect(added).toBeUndefined();
    }
  });
});

test('new names come from the output of an unnamed node, and used names are avoided', async () => {
  const [, , matmul] = [0, 0, LAYERS.at(-1)];
  const { nodes } = await biased(layer(matmul ?? { op: '', x: [], w: [], axis: 0 }, ''), [
    'y/product',
    'y/bias',
  ]);
  expect(nodes.slice(1).map(({ name, output }) => [name, output])).toEqual([
    ['y/bias_2', ['y/bias_2']],
    ['', ['y/product_2']],
    ['y/add_bias', ['y']],
  ]);
});
