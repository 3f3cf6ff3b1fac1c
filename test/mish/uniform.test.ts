import { describe, expect, test } from 'vitest';
import { createRandom } from '../../src/base/random.js';
import { undo } from '../../src/mish/history.js';
import { inspect } from '../../src/mish/inspect.js';
import { mish } from '../../src/mish/reference.js';
import { ops, swapped } from '../support/graph.js';
import { floats, ints, type ModelParts, model, node, value } from '../support/model.js';
import { f32, run } from '../support/run.js';
import { type Expression, greater, max, min, neg, spell, sub, where } from '../support/spellings.js';

const x = 'x';
/** Spellings of ReLU whose zeros a comparison takes. */
const RELUS: Expression[] = [max(x, 0), where(greater(x, 0), x, 0), sub(x, min(x, 0)), neg(min(neg(x), 0))];
const DIMS = [2, 3, 5];
const count = (dims: readonly number[]) => dims.reduce((product, dim) => product * dim, 1);
const FEED = Array.from({ length: count(DIMS) }, (_, at) => (at - 14) / 3);

/** Parts of a model that give the constant `name` its values. */
type Way = (name: string, number: number) => Partial<ModelParts>;
const full = (dims: readonly number[], number: number) => new Array(count(dims)).fill(number) as number[];
const stored =
  (dims: readonly number[]): Way =>
  (name, number) => ({ initializers: [floats(name, dims, full(dims, number))] });
const single = (name: string, number: number) => ({
  tensor: floats(name, [1], [number]),
});
const shapeOfX = (name: string) => node('Shape', ['x'], [`${name}_shape`]);
const filled: Way = (name, number) => ({
  nodes: [shapeOfX(name), node('ConstantOfShape', [`${name}_shape`], [name], { value: single('', number) })],
});
/** Constants with the number in each of several elements, none more than x has. */
const WAYS: Record<string, Way> = {
  'of the same shape': stored(DIMS),
  'of the last dimensions': stored([3, 5]),
  'of the last dimension': stored([5]),
  'that are broadcast': stored([1, 3, 1]),
  'in a typed field': (name, number) => ({
    initializers: [{ name, dataType: 1, dims: DIMS, floatData: full(DIMS, number) }],
  }),
  'in a Constant node': (name, number) => ({
    nodes: [node('Constant', [], [name], { value: { tensor: floats('', DIMS, full(DIMS, number)) } })],
  }),
  'behind an Identity': (name, number) => ({
    nodes: [node('Identity', [`${name}_0`], [name])],
    initializers: [floats(`${name}_0`, DIMS, full(DIMS, number))],
  }),
  'of the shape of x': filled,
  'of the shape of x, cast': (name, number) => ({
    nodes: [...(filled(`${name}_0`, number).nodes ?? []), node('Cast', [`${name}_0`], [name], { to: 1 })],
  }),
  'expanded to the shape of x': (name, number) => ({
    nodes: [shapeOfX(name), node('Expand', [`${name}_0`, `${name}_shape`], [name])],
    initializers: [floats(`${name}_0`, [], [number])],
  }),
  'of a declared shape': (name, number) => ({
    nodes: [node('ConstantOfShape', [`${name}_shape`], [name], { value: single('', number) })],
    initializers: [ints(`${name}_shape`, [3], DIMS)],
    values: [value(name, 1, DIMS)],
  }),
};

const SPELLING = { type: 'f32', opset: 17, vary: false } as const;

/** A model that computes an expression of the result of a layer, with its constants written in a way. */
function behindLayer(expression: Expression, way: Way, dims: readonly number[] | null = DIMS, at = 0) {
  const parts = spell(expression, { ...SPELLING, random: createRandom(1) });
  const { initializers = [], nodes } = parts;
  const written = initializers.map(({ name, rawData }) =>
    way(name ?? '', new DataView(rawData?.buffer ?? new ArrayBuffer(4)).getFloat32(0, true) + at),
  );
  const each = <K extends 'nodes' | 'initializers' | 'values'>(key: K) =>
    written.flatMap((part) => (part[key] ?? []) as NonNullable<ModelParts[K]>);
  const identity = Array.from({ length: 25 }, (_, place) => (place % 6 === 0 ? 1 : 0));
  return model({
    opset: 17,
    nodes: [node('MatMul', ['given', 'w'], ['x']), ...each('nodes'), ...nodes],
    initializers: [floats('w', [5, 5], identity), ...each('initializers')],
    inputs: [value('given', 1, DIMS)],
    outputs: [value('y', 1)],
    values: [...(dims === null ? [] : [value('x', 1, dims)]), ...each('values')],
  });
}

/** Ways that need no declared shape of x. */
const WITHOUT_X = ['of the shape of x', 'of the shape of x, cast', 'expanded to the shape of x'];

describe.each(Object.entries(WAYS))('a ReLU whose zeros are many, %s', (name, way) => {
  test('is a site, and is swapped as a whole', async () => {
    for (const expression of RELUS)
      for (const dims of [DIMS, ...(WITHOUT_X.includes(name) ? [null] : [])]) {
        const bytes = behindLayer(expression, way, dims);
        const { bytes: after, report } = await swapped(bytes);
        const label = JSON.stringify(expression);
        expect(report.sites, label).toMatchObject([{ kind: 'relu', output: 'y' }]);
        expect(ops(after).slice(-3), label).toEqual(['Softplus', 'Tanh', 'Mul']);
        expect(await (await undo(after)).bytes()).toEqual(bytes);
        const { y } = await run(after, { given: f32(FEED, DIMS) });
        for (const [at, given] of FEED.entries()) expect(y?.[at]).toBeCloseTo(mish(given), 4);
      }
  });

  test('is none where they are no zeros', async () => {
    for (const expression of RELUS.slice(0, 2))
      expect((await inspect(behindLayer(expression, way, DIMS, 0.125))).sites).toEqual([]);
  });
});

test('a ReLU whose zeros have the shape of x is a site wherever x is among the values', async () => {
  for (const expression of RELUS)
    for (const earlier of [0, 1, 2]) {
      const { initializers = [], nodes } = spell(expression, { ...SPELLING, random: createRandom(1) });
      const names = initializers.map(({ name }) => name ?? '');
      // Nothing tells the rank of an Einsum.
      const { sites, skipped } = await inspect(
        model({
          opset: 17,
          nodes: [
            ...Array.from({ length: earlier }, (_, at) => node('Neg', ['given'], [`before${at}`])),
            node('Einsum', ['given', 'w'], ['x'], { equation: 'ijk,kl->ijl' }),
            ...names.flatMap((name) => filled(name, 0).nodes ?? []),
            ...nodes,
          ],
          initializers: [floats('w', [5, 5], new Array(25).fill(1))],
          inputs: [value('given', 1, DIMS)],
          outputs: [value('y', 1)],
          values: names.map((name) => value(name, 1, DIMS)),
        }),
      );
      expect(skipped).toEqual([]);
      expect(sites).toMatchObject([{ kind: 'relu', output: 'y' }]);
    }
});

test('a ReLU whose zeros may have more elements than its input is told, and stays', async () => {
  const larger = [[2, 2, 3, 5], [7, 3, 5], DIMS].map(stored);
  for (const [at, way] of larger.entries())
    for (const expression of RELUS) {
      const bytes = behindLayer(expression, way, at === 2 ? null : [1, 3, 5]);
      const { sites, skipped } = await inspect(bytes);
      expect(sites).toEqual([]);
      expect(skipped).toMatchObject([{ output: 'y', reason: 'unknown-constant' }]);
      expect(skipped[0]?.why).toMatch(/^its constant 'v\d' may have more elements than 'x'/);
      expect((await swapped(bytes)).bytes).toEqual(bytes);
    }
});

test('what may be a ReLU with zeros in another file is told, and stays', async () => {
  const way: Way = (name) => ({
    initializers: [
      {
        name,
        dataType: 1,
        dims: DIMS,
        dataLocation: 1,
        externalData: [{ key: 'location', value: 'w.data' }],
      },
    ],
  });
  for (const expression of RELUS) {
    const bytes = behindLayer(expression, way);
    const { sites, skipped } = await inspect(bytes);
    expect(sites).toEqual([]);
    expect(skipped).toMatchObject([{ kind: 'relu', output: 'y', reason: 'unknown-constant' }]);
    expect(skipped[0]?.why).toMatch(
      /^it is a ReLU only if all elements of 'v\d' are 0, which is in another file/,
    );
    expect((await swapped(bytes)).bytes).toEqual(bytes);
  }
});

test('the maximum with numbers of which one is not 0 is no site', async () => {
  const almost: Way = (name) => ({
    initializers: [floats(name, DIMS, [...full(DIMS, 0).slice(1), 1e-3])],
  });
  for (const number of [Number.NaN, 1e-3]) {
    const way: Way = (name) => ({
      initializers: [floats(name, DIMS, [...full(DIMS, 0).slice(1), number])],
    });
    for (const expression of RELUS) expect((await inspect(behindLayer(expression, way))).sites).toEqual([]);
  }
  expect((await inspect(behindLayer(max(x, 0), almost))).sites).toEqual([]);
});

test('a node with a graph inside that computes the shape of zeros stays, and so do the sites inside', async () => {
  const branch = (name: string, op: string) => ({
    ...{ name, output: [value(`${name}_shape`, 7, [3])] },
    node: [node(op, ['given'], [`${name}_a`]), node('Shape', [`${name}_a`], [`${name}_shape`])],
  });
  for (const op of ['ConstantOfShape', 'Expand']) {
    const zeros = op === 'Expand' ? node(op, ['zero', 'shape'], ['z']) : node(op, ['shape'], ['z']);
    const bytes = model({
      opset: 17,
      nodes: [
        node('MatMul', ['given', 'w'], ['x']),
        node('If', ['yes'], ['shape'], {
          then_branch: { graph: branch('one', 'Relu') },
          else_branch: { graph: branch('other', 'Neg') },
        }),
        zeros,
        node('Max', ['x', 'z'], ['y']),
      ],
      initializers: [
        floats('w', [5, 5], new Array(25).fill(1)),
        floats('zero', [], [0]),
        { name: 'yes', dataType: 9, dims: [], rawData: Uint8Array.of(1) },
      ],
      inputs: [value('given', 1, DIMS)],
      outputs: [value('y', 1, DIMS)],
      values: [value('x', 1, DIMS), value('z', 1, DIMS)],
    });
    const { bytes: after, report } = await swapped(bytes);
    expect(report.sites.map(({ output }) => output)).toEqual(['y', 'one_a']);
    expect(await (await undo(after)).bytes()).toEqual(bytes);
    await run(after, { given: f32(FEED, DIMS) });
  }
});

describe('tensors of the shape of x that a node fills', () => {
  const filledWith = (number: number) => [
    node('Shape', ['x'], ['shape']),
    node('ConstantOfShape', ['shape'], ['ones'], { value: single('', number) }),
  ];
  const exp = node('Exp', ['x'], ['e']);
  const behind = (nodes: ModelParts['nodes'], number = 1, values: ModelParts['values'] = []) =>
    model({
      opset: 17,
      nodes: [node('MatMul', ['given', 'w'], ['x']), ...filledWith(number), ...nodes],
      initializers: [
        floats(
          'w',
          [5, 5],
          Array.from({ length: 25 }, (_, at) => (at % 6 === 0 ? 1 : 0)),
        ),
        floats('zero', [], [0]),
        floats('slope', [], [0.25]),
      ],
      inputs: [value('given', 1, DIMS)],
      outputs: [value('y', 1, DIMS)],
      values,
    });
  /** Activations as Python writes them with `torch.ones_like(x)`. */
  const ONES: Record<string, readonly [kind: string, ModelParts['nodes']]> = {
    'x · tanh(ln(1 + e^x))': [
      'mish',
      [
        exp,
        node('Add', ['ones', 'e'], ['p']),
        node('Log', ['p'], ['l']),
        node('Tanh', ['l'], ['t']),
        node('Mul', ['x', 't'], ['y']),
      ],
    ],
    'x / (1 + e^-x)': [
      'swish',
      [
        node('Neg', ['x'], ['n']),
        node('Exp', ['n'], ['e']),
        node('Add', ['ones', 'e'], ['p']),
        node('Div', ['x', 'p'], ['y']),
      ],
    ],
    'x, or e^x - 1': [
      'elu',
      [
        exp,
        node('Sub', ['e', 'ones'], ['s']),
        node('Greater', ['x', 'zero'], ['above']),
        node('Where', ['above', 'x', 's'], ['y']),
      ],
    ],
    'x, or a product': [
      'leakyrelu',
      [
        node('Mul', ['ones', 'slope'], ['slopes']),
        node('Greater', ['x', 'zero'], ['above']),
        node('Where', ['above', 'ones', 'slopes'], ['factor']),
        node('Mul', ['x', 'factor'], ['y']),
      ],
    ],
  };

  test.each(Object.entries(ONES))('count as their number in %s', async (_, [kind, nodes]) => {
    const { sites, mish: found } = await inspect(behind(nodes), { only: ['elu', 'swish', 'leakyrelu'] });
    const all = [...sites, ...found.map(({ output }) => ({ kind: 'mish', output }))];
    expect(all.map(({ kind, output }) => `${kind} ${output}`)).toEqual([`${kind} y`]);
    // Another number is another function.
    const other = await inspect(behind(nodes, 1.5), { only: ['elu', 'swish'] });
    expect([...other.sites, ...other.mish]).toEqual([]);
  });

  test('are the slope of a LeakyReLU, and no weights of a PReLU, whether their shape is declared or not', async () => {
    const above = node('Greater', ['x', 'zero'], ['above']);
    const spelled: ModelParts['nodes'][] = [
      [node('Mul', ['x', 'ones'], ['scaled']), above, node('Where', ['above', 'x', 'scaled'], ['y'])],
      [node('Mul', ['x', 'ones'], ['scaled']), node('Max', ['x', 'scaled'], ['y'])],
    ];
    for (const nodes of spelled)
      for (const values of [[], [value('x', 1, DIMS), value('ones', 1, DIMS)]]) {
        const { sites } = await inspect(behind(nodes, 0.25, values));
        expect(sites).toMatchObject([{ kind: 'leakyrelu', alpha: 0.25, output: 'y' }]);
      }
  });

  test('stored in the model, they are weights', async () => {
    const [, nodes] = ONES['x / (1 + e^-x)'] ?? [];
    const bytes = model({
      opset: 17,
      nodes: [node('MatMul', ['given', 'w'], ['x']), ...(nodes ?? [])],
      initializers: [floats('w', [5, 5], full([5, 5], 1)), floats('ones', [5], full([5], 1))],
      inputs: [value('given', 1, DIMS)],
      outputs: [value('y', 1, DIMS)],
    });
    expect((await inspect(bytes, { only: ['swish'] })).sites).toEqual([]);
  });
});
