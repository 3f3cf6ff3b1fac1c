// Activations of several nodes amid a network: what is before and after them takes no part.
import { describe, expect, test } from 'vitest';
import { createRandom } from '../../src/base/random.js';
import { inspect } from '../../src/mish/inspect.js';
import { mish } from '../../src/mish/reference.js';
import { FLOAT_TYPES, type FloatType } from '../../src/onnx/types.js';
import { swapped } from '../support/graph.js';
import { floats, ints, type ModelParts, model, node, value } from '../support/model.js';
import { f32, run } from '../support/run.js';
import {
  add,
  clip,
  div,
  type Expression,
  exp,
  greater,
  max,
  min,
  mul,
  neg,
  relu,
  sigmoid,
  spell,
  sub,
  where,
} from '../support/spellings.js';

const x = 'x';
const WRITTEN: [kind: string, Expression][] = [
  ['relu6', min(relu(x), 6)],
  ['relu6', min(max(x, 0), 6)],
  ['hardswish', div(mul(x, clip(add(x, 3), 0, 6)), 6)],
  ['hardswish', mul(x, div(min(relu(add(x, 3)), 6), 6))],
  ['leakyrelu', sub(relu(x), mul(0.25, relu(neg(x))))],
  ['leakyrelu', max(x, mul(x, 0.25))],
  ['leakyrelu', where(greater(x, 0), x, mul(0.25, x))],
  ['elu', where(greater(x, 0), x, sub(exp(x), 1))],
  ['swish', mul(x, sigmoid(mul(1.5, x)))],
];
const ALL = ['relu', 'leakyrelu', 'prelu', 'elu', 'hardswish', 'relu6', 'swish', 'gelu'];
const FEED = [-9, -3.5, -1, -0.2, 0, 0.3, 2, 5, 8];

/** A layer, the activation, and an operator after it that changes nothing; only inputs and outputs have dimensions. */
function amid(expression: Expression, dims: number[], after = 'Identity'): Uint8Array {
  const parts = spell(expression, { type: 'f32', opset: 17, random: createRandom(1), vary: false });
  return model({
    ...parts,
    nodes: [node('MatMul', ['given', 'w'], ['x']), ...parts.nodes, node(after, ['y'], ['out'])],
    initializers: [...(parts.initializers ?? []).map((one) => ({ ...one, dims })), floats('w', [1, 1], [1])],
    inputs: [value('given', 1, [FEED.length, 1])],
    outputs: [value('out', 1, [FEED.length, 1])],
  });
}

describe.each([[[]], [[1]], [[1, 1]]])('with numbers of dimensions %j, behind a layer', (dims) => {
  test.each(WRITTEN)(
    '%s is one site, though nobody declares the dimensions of its input: %j',
    async (kind, written) => {
      const bytes = amid(written, dims);
      // A LeakyReLU whose slope has dimensions is a PReLU of one parameter.
      const name = kind === 'leakyrelu' && dims.length > 0 ? 'prelu' : kind;
      const { sites } = await inspect(bytes, { only: ALL });
      expect(sites.map((site) => `${site.kind} ${site.output}`)).toEqual([`${name} y`]);
      const { bytes: after } = await swapped(bytes, { only: ALL });
      const { out } = await run(after, { given: { ...f32(FEED), dims: [FEED.length, 1] } });
      for (const [at, given] of FEED.entries()) expect(out?.[at]).toBeCloseTo(mish(given), 5);
    },
  );
});

test('an integer that is cast to the type of a value counts as its number, as PyTorch’s newer exporter writes it', async () => {
  const int = (name: string, number: number) =>
    node('Constant', [], [name], { value: { tensor: ints('', [], [number]) } });
  const bytes = model({
    nodes: [
      node('MatMul', ['given', 'w'], ['x']),
      ...[int('0', 0), node('Cast', ['0'], ['zero'], { to: 1 }), node('Greater', ['x', 'zero'], ['above'])],
      ...[node('Exp', ['x'], ['e']), int('1', 1), node('CastLike', ['1', 'e'], ['one'])],
      ...[node('Sub', ['e', 'one'], ['below']), node('Where', ['above', 'x', 'below'], ['y'])],
    ],
    ...{ opset: 18, initializers: [floats('w', [1, 1], [1])], inputs: [value('given', 1, ['N', 1])] },
  });
  const { sites } = await inspect(bytes, { only: ALL });
  expect(sites.map(({ kind, output }) => `${kind} ${output}`)).toEqual(['elu y']);
});

test.each<[FloatType, number]>([
  ['bf16', 1e-3],
  ['f16', 1e-4],
])('a small number that is added to an activation in %s is no part of it', async (type, small) => {
  const before = ([kind, expression]: (typeof WRITTEN)[number]): ModelParts => {
    const parts = spell(expression, { type, opset: 22, random: createRandom(2), vary: false });
    const epsilon = spell(add(x, small), { type, opset: 22, random: createRandom(3), vary: false });
    const [sum] = epsilon.nodes;
    return {
      ...parts,
      nodes: [...parts.nodes, { ...sum, input: ['y', 'epsilon'], output: [`sum of ${kind}`] }],
      initializers: [
        ...(parts.initializers ?? []).map((one) => ({ ...one, dims: [] })),
        ...(epsilon.initializers ?? []).map((one) => ({ ...one, name: 'epsilon', dims: [] })),
      ],
      outputs: [value(`sum of ${kind}`, FLOAT_TYPES[type], ['N'])],
    };
  };
  for (const written of WRITTEN) {
    const { sites } = await inspect(model(before(written)), { only: ALL });
    expect(
      sites.map(({ output }) => output),
      JSON.stringify(written),
    ).toEqual(['y']);
  }
});
