import { expect, test } from 'vitest';
import { createRandom } from '../../src/base/random.js';
import { inspect } from '../../src/mish/inspect.js';
import { ops, swapped } from '../support/graph.js';
import { type AttributeValue, floats, model, node, value } from '../support/model.js';
import { f32, run } from '../support/run.js';
import {
  add,
  div,
  type Expression,
  exp,
  greater,
  max,
  min,
  mul,
  sigmoid,
  spell,
  sub,
  where,
} from '../support/spellings.js';

const x = 'x';
/** Activations whose constants are whole numbers. */
const WRITTEN: [kind: string, Expression][] = [
  ['relu', max(x, 0)],
  ['relu', sub(x, min(x, 0))],
  ['relu6', min(max(x, 0), 6)],
  ['hardswish', div(mul(x, min(max(add(x, 3), 0), 6)), 6)],
  ['elu', where(greater(x, 0), x, sub(exp(x), 1))],
  ['swish', mul(x, sigmoid(mul(2, x)))],
];
const FEED = [-9, -3.5, -1, -0.2, 0, 0.3, 2, 5, 8];

/** The attributes of a Constant node that hold a number, and the operator that makes it the type of x. */
const WAYS: Record<string, readonly [(number: number) => Record<string, AttributeValue>, cast?: string]> = {
  'a tensor': [(number) => ({ value: { tensor: floats('', [], [number]) } })],
  'a float': [(f) => ({ value_float: { f } })],
  'a list of one float': [(number) => ({ value_floats: { floats: [number] } })],
  'an integer that is cast': [(number) => ({ value_int: number }), 'Cast'],
  'an integer that is cast like x': [(number) => ({ value_int: number }), 'CastLike'],
  'a list of one integer that is cast': [(number) => ({ value_ints: [number] }), 'Cast'],
};

/** A layer and the activation, whose constants are Constant nodes with these attributes. */
function behindLayer(expression: Expression, way: string) {
  const [attributes, cast] = WAYS[way] ?? [() => ({})];
  const parts = spell(expression, { type: 'f32', opset: 17, random: createRandom(1), vary: false });
  const constants = (parts.initializers ?? []).flatMap(({ name: given, rawData }) => {
    const name = given ?? '';
    const number = new DataView(rawData?.buffer ?? new ArrayBuffer(4)).getFloat32(0, true);
    const inner = cast === undefined ? name : `${name}_integer`;
    const constant = node('Constant', [], [inner], attributes(number));
    if (cast === undefined) return [constant];
    return [
      constant,
      cast === 'Cast' ? node(cast, [inner], [name], { to: 1 }) : node(cast, [inner, x], [name]),
    ];
  });
  return model({
    opset: 17,
    nodes: [node('MatMul', ['given', 'w'], [x]), ...constants, ...parts.nodes],
    initializers: [floats('w', [1, 1], [1])],
    inputs: [value('given', 1, ['N', 1])],
    outputs: [value('y', 1, ['N', 1])],
  });
}

test.each(Object.keys(WAYS))('a number of an activation may be %s', async (way) => {
  for (const [kind, expression] of WRITTEN) {
    const bytes = behindLayer(expression, way);
    const label = JSON.stringify(expression);
    const { sites } = await inspect(bytes, { only: [kind] });
    expect(
      sites.map(({ kind, output }) => `${kind} ${output}`),
      label,
    ).toEqual([`${kind} y`]);
    const { bytes: after } = await swapped(bytes, { only: [kind], form: 'softplus' });
    expect(ops(after), label).toEqual(['MatMul', 'Softplus', 'Tanh', 'Mul']);
  }
});

test('a list of several numbers is no number', async () => {
  for (const numbers of [
    [0, 0.5],
    [6, 0],
  ]) {
    const nodes = [
      node('MatMul', ['given', 'w'], [x]),
      node('Constant', [], ['several'], { value_floats: { floats: numbers } }),
      node('Max', [x, 'several'], ['y']),
    ];
    const initializers = [floats('w', [2, 2], [1, 0, 0, 1])];
    const { sites, skipped } = await inspect(
      model({ nodes, initializers, inputs: [value('given', 1, ['N', 2])] }),
    );
    expect([...sites, ...skipped]).toEqual([]);
  }
});

test('what is swapped computes the new activation', async () => {
  for (const way of Object.keys(WAYS)) {
    const { bytes } = await swapped(behindLayer(max(x, 0), way), { to: 'elu' });
    const { y } = await run(bytes, { given: { ...f32(FEED), dims: [FEED.length, 1] } });
    for (const [at, given] of FEED.entries())
      expect(y?.[at]).toBeCloseTo(given > 0 ? given : Math.expm1(given), 5);
  }
});
