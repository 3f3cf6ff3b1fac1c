import { describe, expect, test } from 'vitest';
import { createRandom } from '../../src/base/random.js';
import { undo } from '../../src/mish/history.js';
import { inspect } from '../../src/mish/inspect.js';
import { planOf } from '../../src/mish/plan.js';
import { mish } from '../../src/mish/reference.js';
import { graph } from '../support/bodies.js';
import { ops, swapped } from '../support/graph.js';
import { floats, ints, type ModelParts, model, node, value } from '../support/model.js';
import { f32, run } from '../support/run.js';
import {
  abs,
  add,
  clip,
  constantsIn,
  div,
  type Expression,
  exp,
  greater,
  log,
  max,
  min,
  mul,
  neg,
  perturb,
  relu,
  spell,
  sub,
  where,
} from '../support/spellings.js';

const x = 'x';
const hard: Expression = {
  op: 'HardSigmoid',
  args: [x],
  attributes: { alpha: { f: 1 / 6 }, beta: { f: 0.5 } },
};
/** Activations that are written out, by the kind that they are. */
const WRITTEN: Record<string, Expression[]> = {
  relu6: [
    min(relu(x), 6),
    clip(relu(x), 0, 6),
    min(max(x, 0), 6),
    relu(min(x, 6)),
    sub(6, relu(sub(6, relu(x)))),
    sub(relu(x), relu(sub(x, 6))),
    clip(x, 0, 6),
  ],
  hardswish: [
    div(mul(x, clip(add(x, 3), 0, 6)), 6),
    mul(x, div(min(relu(add(x, 3)), 6), 6)),
    mul(div(x, 6), relu(min(add(3, x), 6))),
    mul(x, hard),
  ],
  prelu: [],
  leakyrelu: [
    sub(relu(x), mul(0.25, relu(neg(x)))),
    max(x, mul(x, 0.25)),
    add(relu(x), mul(0.25, min(x, 0))),
    where(greater(x, 0), x, mul(0.25, x)),
    mul(0.5, add(mul(1.25, x), mul(0.75, abs(x)))),
  ],
  elu: [where(greater(x, 0), x, sub(exp(x), 1)), sub(relu(x), relu(sub(1, exp(x))))],
};
/** What is arithmetic, or an activation of no kind: none of its Relus is a site. */
const ARITHMETIC: Expression[] = [
  add(relu(x), relu(neg(x))),
  sub(1, relu(sub(1, x))),
  add(x, relu(sub(0.5, x))),
  sub(relu(x), relu(sub(x, 1))),
  relu(min(x, 1)),
  div(min(relu(add(x, 3)), 6), 6),
  sub(relu(sub(x, 0.5)), relu(sub(neg(x), 0.5))),
  relu(sub(1, abs(x))),
  add(relu(x), log(add(1, exp(neg(abs(x)))))),
];
const FEED = Array.from({ length: 161 }, (_, at) => (at - 80) / 10);
const short = ({ sites, skipped }: Awaited<ReturnType<typeof inspect>>) => ({
  sites: sites.map(({ kind, output }) => `${kind} ${output}`),
  skipped: skipped.map(({ kind, reason }) => `${kind} ${reason}`),
});

describe.each(Object.entries(WRITTEN))('%s', (kind, expressions) => {
  test('is one site, and is swapped as a whole', async () => {
    const random = createRandom(6);
    for (const [which, expression] of expressions.entries()) {
      for (const [round, opset] of [12, 13, 18, 21].entries()) {
        const parts = spell(expression, { type: 'f32', opset, random, vary: round > 0 });
        const scalars = {
          ...parts,
          initializers: parts.initializers?.map((one) => ({ ...one, dims: [] })) ?? [],
        };
        const bytes = model(scalars);
        const name = JSON.stringify([which, scalars.nodes.map((one) => [one.opType, one.input, one.output])]);
        expect(short(await inspect(bytes, { only: [kind] })).sites, name).toEqual([`${kind} y`]);
        const byDefault = short(await inspect(bytes));
        if (kind === 'leakyrelu') expect(byDefault.sites, name).toEqual(['leakyrelu y']);
        else {
          expect(byDefault.sites, name).toEqual([]);
          expect(
            byDefault.skipped.filter((line) => !/^relu (excluded|clamp|arithmetic)$/.test(line)),
            name,
          ).toEqual([]);
        }
        const { bytes: after, report } = await swapped(bytes, { only: [kind] });
        expect(report.sites[0]?.difference ?? 0).toBeLessThan(1e-6);
        expect(
          ops(after).filter((op) => op !== 'Constant' && op !== 'Identity'),
          name,
        ).toEqual(['Softplus', 'Tanh', 'Mul']);
        expect(await (await undo(after)).bytes()).toEqual(bytes);
        const { y } = await run(after, { x: f32(FEED) });
        for (const [at, given] of FEED.entries()) expect(y?.[at]).toBeCloseTo(mish(given), 4);
      }
    }
  });

  test('with a constant changed by a thousandth is no site of its kind, and no half of it is one', async () => {
    const random = createRandom(7);
    for (const expression of expressions) {
      for (let which = 0; which < constantsIn(expression); which++) {
        // ELU is smooth at 0, where the bend may be a little later.
        if (kind === 'elu' && which === 0) continue;
        const changed = perturb(expression, which, 1e-3);
        const bytes = model(spell(changed, { type: 'f32', opset: 17, random, vary: true }));
        const { sites } = await inspect(bytes, { only: [kind] });
        // Another slope is another LeakyReLU.
        if (kind !== 'leakyrelu') expect(sites.filter((site) => site.parts !== undefined)).toEqual([]);
      }
    }
  });
});

/** Returns an expression of an expression. */
const of = (outer: Expression, inner: Expression): Expression =>
  outer === 'x'
    ? inner
    : typeof outer === 'number'
      ? outer
      : { ...outer, args: outer.args.map((arg) => of(arg, inner)) };

const LEAKY: Expression[] = [
  ...(WRITTEN.leakyrelu ?? []),
  { op: 'LeakyRelu', args: [x], attributes: { alpha: { f: 0.25 } } },
];

test('a LeakyReLU of a LeakyReLU is two sites, however each is written', async () => {
  const random = createRandom(8);
  for (const [first, inner] of LEAKY.entries())
    for (const [second, outer] of LEAKY.entries())
      for (const vary of [false, true]) {
        const parts = spell(of(outer, inner), { type: 'f32', opset: 13, random, vary });
        const initializers = parts.initializers?.map((one) => ({ ...one, dims: [] })) ?? [];
        const { sites } = await inspect(model({ ...parts, initializers }));
        const found = sites.map(({ kind, alpha }) => `${kind} ${alpha}`);
        expect(found, `${second} of ${first}`).toEqual(['leakyrelu 0.25', 'leakyrelu 0.25']);
      }
});

test.each([
  [3, false],
  [8, false],
  [8, true],
])(
  'activations whose constants are inputs are skipped with this reason: IR %i, behind Identity nodes: %j',
  async (ir, isCopied) => {
    for (const [kind, expressions] of Object.entries(WRITTEN))
      for (const expression of expressions) {
        const opset = ir === 3 ? 8 : 13;
        const parts = spell(expression, { type: 'f32', opset, random: createRandom(1), vary: false });
        const given = parts.initializers?.map((one) => ({ ...one, dims: [] })) ?? [];
        if (given.length === 0) continue;
        const initializers = given.map((one) => ({
          ...one,
          name: `${one.name}${isCopied ? '_stored' : ''}`,
        }));
        const copies = given.map(({ name = '' }) => node('Identity', [`${name}_stored`], [name ?? '']));
        const nodes = [...(isCopied ? copies : []), ...(parts.nodes ?? [])];
        const more = initializers.map(({ name }) => value(name, 1, []));
        const inputs = [...(parts.inputs ?? []), ...more];
        const bytes = model({ ...parts, ir, nodes, initializers, inputs });
        const { bytes: after, report } = await swapped(bytes, { only: [kind] });
        expect(after, JSON.stringify(expression)).toEqual(bytes);
        expect(report.skipped.filter(({ reason }) => reason === 'overridable')).toMatchObject([
          {
            kind,
            output: 'y',
            why: expect.stringMatching(/^its constant 'v\d+(_stored)?' is an input of the model as well/),
          },
        ]);
        // Moved into a plan, it stays.
        const plan = planOf(report);
        const asked = { ...plan, sites: [{ scope: 'graph', output: 'y' }] };
        await expect(swapped(bytes, { plan: asked })).rejects.toMatchObject({ code: 'bad-plan' });
      }
  },
);

/** Spellings of ReLU without a Relu node. */
const RELUS: Expression[] = [
  max(x, 0),
  clip(x, 0, Number.POSITIVE_INFINITY),
  where(greater(x, 0), x, 0),
  sub(x, min(x, 0)),
  neg(min(neg(x), 0)),
  mul(0.5, add(x, abs(x))),
];

describe('a ReLU without a Relu node', () => {
  const spelled = (expression: Expression, random: () => number) => {
    const {
      nodes,
      initializers = [],
      ...parts
    } = spell(expression, {
      ...{ type: 'f32', opset: 17, random, vary: false },
    });
    const scalars = initializers.map((one) => ({ ...one, dims: [] }));
    return { ...parts, initializers: scalars, nodes };
  };

  const behindLayer = ({ nodes, initializers, ...parts }: ReturnType<typeof spelled>) =>
    model({
      ...parts,
      nodes: [
        node('MatMul', ['given', 'w'], ['m']),
        node('Add', ['m', 'bias'], ['x'], {}, { name: 'layer' }),
        ...nodes,
      ],
      initializers: [...initializers, floats('w', [1, 1], [1]), floats('bias', [1], [0])],
      inputs: [value('given', 1, [FEED.length, 1])],
      outputs: [value('y', 1, [FEED.length, 1])],
      values: [value('x', 1, [FEED.length, 1])],
    });

  test('is a site behind a layer with weights, and is swapped as a whole', async () => {
    const random = createRandom(12);
    for (const expression of RELUS) {
      const bytes = behindLayer(spelled(expression, random));
      const name = JSON.stringify(expression);
      expect(short(await inspect(bytes)).sites, name).toEqual(['relu y']);
      const { bytes: after } = await swapped(bytes);
      expect(
        ops(after).filter((op) => op !== 'Constant'),
        name,
      ).toEqual(['MatMul', 'Add', 'Softplus', 'Tanh', 'Mul']);
      expect(await (await undo(after)).bytes()).toEqual(bytes);
      const { y } = await run(after, { given: { ...f32(FEED), dims: [FEED.length, 1] } });
      for (const [at, value] of FEED.entries()) expect(y?.[at]).toBeCloseTo(mish(value), 4);
    }
  });

  test.each([
    [0, ['relu y']],
    [0.001, []],
    [undefined, []],
  ])('is a ThresholdedRelu of alpha %s', async (alpha, sites) => {
    const attributes = alpha === undefined ? {} : { alpha: { f: alpha } };
    const parts = spelled(max(x, 0), createRandom(15));
    const bytes = behindLayer({ ...parts, nodes: [node('ThresholdedRelu', ['x'], ['y'], attributes)] });
    expect(short(await inspect(bytes)).sites).toEqual(sites);
    if (sites.length === 0) return;
    const { bytes: after } = await swapped(bytes);
    const { y } = await run(after, { given: { ...f32(FEED), dims: [FEED.length, 1] } });
    for (const [at, value] of FEED.entries()) expect(y?.[at]).toBeCloseTo(mish(value), 4);
    expect(await (await undo(after)).bytes()).toEqual(bytes);
  });

  test('with an upper bound, at whatever height, is a clamp and no site', async () => {
    const random = createRandom(14);
    const clamps = (most: number): Expression[] => [
      clip(x, 0, most),
      min(max(x, 0), most),
      max(min(x, most), 0),
      sub(most, max(sub(most, max(x, 0)), 0)),
      where(greater(x, 0), min(x, most), 0),
    ];
    for (const most of [61, 255, 59_999])
      for (const clamp of clamps(most)) {
        const { sites } = await inspect(behindLayer(spelled(clamp, random)));
        expect(sites, JSON.stringify(clamp)).toEqual([]);
      }
    // The largest number of float16 is no bound.
    expect((await inspect(behindLayer(spelled(clip(x, 0, 65_504), random)))).sites).toHaveLength(1);
  });

  test('is a mere bound behind other operators', async () => {
    const random = createRandom(13);
    for (const expression of RELUS)
      expect((await inspect(model(spelled(expression, random)))).sites).toEqual([]);
  });
});

test('no Relu of arithmetic is a site', async () => {
  const random = createRandom(8);
  for (const expression of ARITHMETIC) {
    for (let round = 0; round < 5; round++) {
      const { sites, skipped } = await inspect(
        model(spell(expression, { type: 'f32', opset: 17, random, vary: round > 0 })),
      );
      expect(sites, JSON.stringify(expression)).toEqual([]);
      expect(skipped.length).toBeGreaterThan(0);
      for (const { reason, decidedBy } of skipped) {
        expect(['arithmetic', 'clamp', 'guard']).toContain(reason);
        expect(decidedBy).toBeDefined();
      }
    }
  }
});

test('the maximum of two values is arithmetic', async () => {
  const inputs = [value('x', 1, [2, 4]), value('b', 1, [2, 4])];
  const nodes = [node('Sub', ['b', 'x'], ['s']), node('Relu', ['s'], ['r']), node('Add', ['x', 'r'], ['y'])];
  expect(short(await inspect(model({ nodes, inputs })))).toEqual({ sites: [], skipped: ['relu arithmetic'] });
});

test.each<[string, Parameters<typeof node>[]]>([
  [
    'a PReLU of a computed slope',
    [
      ['Min', ['x', 'zero'], ['m']],
      ['Mul', ['b', 'm'], ['s']],
      ['Add', ['r', 's'], ['y']],
    ],
  ],
  [
    'a clamp',
    [
      ['Sub', ['r', 'b'], ['d']],
      ['Relu', ['d'], ['e']],
      ['Sub', ['r', 'e'], ['y']],
    ],
  ],
  [
    'cross-entropy',
    [
      ['Mul', ['x', 'b'], ['t']],
      ['Sub', ['r', 't'], ['d']],
      ['Abs', ['x'], ['a']],
      ['Neg', ['a'], ['n']],
      ['Exp', ['n'], ['e']],
      ['Add', ['e', 'one'], ['f']],
      ['Log', ['f'], ['l']],
      ['Add', ['d', 'l'], ['y']],
    ],
  ],
])('%s is arithmetic', async (name, rest) => {
  const nodes = [node('Relu', ['x'], ['r']), ...rest.map((one) => node(...one))];
  const inputs = [value('x', 1, [2, 4]), value('b', 1, [2, 4])];
  const initializers = [floats('zero', [], [0]), floats('one', [], [1])];
  const { sites, skipped } = await inspect(model({ nodes, inputs, initializers }));
  expect(sites).toEqual([]);
  expect(skipped[0]).toMatchObject({ output: 'r', reason: 'arithmetic', why: expect.stringContaining(name) });
});

test('a soft threshold that is computed is arithmetic', async () => {
  const inputs = [value('x', 1, [2, 4]), value('b', 1, [2, 4])];
  const nodes = [
    node('Abs', ['x'], ['a']),
    node('Sub', ['a', 'b'], ['d']),
    node('Relu', ['d'], ['r']),
    node('Sign', ['x'], ['s']),
    node('Mul', ['s', 'r'], ['y']),
  ];
  expect(short(await inspect(model({ nodes, inputs })))).toEqual({ sites: [], skipped: ['relu arithmetic'] });
});

describe('PReLU in several nodes', () => {
  const parts = (dims: number[], slopes: number[]): ModelParts => ({
    nodes: [
      node('Relu', ['x'], ['r']),
      node('Neg', ['x'], ['n']),
      node('Relu', ['n'], ['r2']),
      node('Mul', ['r2', 'a'], ['m']),
      node('Sub', ['r', 'm'], ['y']),
    ],
    initializers: [floats('a', dims, slopes)],
    inputs: [value('x', 1, [2, 4])],
    outputs: [value('y', 1, [2, 4])],
  });

  test.each<[number[], number[]]>([
    [[4], [0.1, 0.2, 0.3, 0.4]],
    [
      [2, 4],
      [1, 2, 3, 4, 5, 6, 7, 8],
    ],
    [[1], [0.25]],
    [[4, 1].toReversed(), [0.1, 0.2, 0.3, 0.4]],
  ])('with slopes %j is one site', async (dims, slopes) => {
    const bytes = model(parts(dims, slopes));
    expect(short(await inspect(bytes))).toEqual({ sites: [], skipped: ['relu excluded', 'relu excluded'] });
    expect(short(await inspect(bytes, { only: ['prelu'] })).sites).toEqual(['prelu y']);
    const { bytes: after } = await swapped(bytes, { only: ['prelu'], form: 'exp' });
    expect(ops(after)).not.toContain('Relu');
    expect(await (await undo(after)).bytes()).toEqual(bytes);
  });

  test('with slopes that get their shape and sign on the way is one site', async () => {
    const { initializers = [], nodes, ...rest } = parts([4], [-0.1, -0.2, -0.3, -0.4]);
    const flat = initializers.map((one) => ({ ...one, name: 'flat' }));
    const shaped = [node('Reshape', ['flat', 'dims'], ['shaped']), node('Neg', ['shaped'], ['a'])];
    const bytes = model({
      ...rest,
      nodes: [...shaped, ...nodes],
      initializers: [...flat, ints('dims', [2], [1, 4])],
    });
    expect(short(await inspect(bytes)).sites).toEqual([]);
    const { bytes: after } = await swapped(bytes, { only: ['prelu'] });
    expect(ops(after)).toEqual(['Softplus', 'Tanh', 'Mul']);
    expect(await (await undo(after)).bytes()).toEqual(bytes);
  });

  test('in the body of an If and in a function is one site too', async () => {
    const { nodes, initializers } = parts([4], [1, 2, 3, 4]);
    const branch = graph('b', nodes, [], [value('y', 1, [2, 4])]);
    const inIf = model({
      nodes: [node('If', ['c'], ['z'], { then_branch: branch, else_branch: branch })],
      inputs: [value('x', 1, [2, 4]), value('c', 9, [])],
      outputs: [value('z', 1, [2, 4])],
      initializers: initializers ?? [],
    });
    const relu6 = [
      node('Constant', [], ['six'], { value_float: { f: 6 } }),
      node('Relu', ['x'], ['r']),
      node('Min', ['r', 'six'], ['y']),
    ];
    const opsetImport = [{ domain: '', version: 18 }];
    const functions = [{ domain: 'local', name: 'F', input: ['x'], output: ['y'], node: relu6, opsetImport }];
    const inFunction = model({
      nodes: [node('F', ['x'], ['y'], {}, { domain: 'local' })],
      functions,
      domains: { local: 1 },
    });
    for (const [bytes, only, count] of [
      [inIf, 'prelu', 2],
      [inFunction, 'relu6', 1],
    ] as const) {
      const { bytes: after, report } = await swapped(bytes, { only: [only] });
      expect(report.sites).toHaveLength(count);
      expect(await (await undo(after)).bytes()).toEqual(bytes);
    }
  });

  test('whose half is read elsewhere leaves that half, and says so', async () => {
    const { outputs = [], ...rest } = parts([4], [1, 2, 3, 4]);
    const bytes = model({ ...rest, outputs: [...outputs, value('r', 1, [2, 4])] });
    expect(short(await inspect(bytes))).toEqual({
      sites: [],
      skipped: ['relu excluded', 'relu excluded'],
    });
    const { bytes: after, report } = await swapped(bytes, { only: ['prelu'] });
    expect(report.sites).toHaveLength(1);
    expect(ops(after)).toEqual(['Relu', 'Softplus', 'Tanh', 'Mul']);
  });
});

test('sites that are one node stay as they are', async () => {
  const nodes = [
    node('Relu', ['x'], ['a']),
    node('Relu', ['a'], ['b']),
    node('LeakyRelu', ['b'], ['c']),
    node('LeakyRelu', ['c'], ['d']),
    node('Add', ['d', 'x'], ['e']),
    node('Relu', ['e'], ['y']),
  ];
  expect((await inspect(model({ nodes }))).sites).toHaveLength(5);
});

/** Activations as one operator of one input. */
const SINGLE: [kind: string, Expression][] = [
  ['elu', { op: 'Elu', args: [x] }],
  ['elu', { op: 'Celu', args: [x] }],
  ['hardswish', { op: 'HardSwish', args: [x] }],
];

test.each([61, 100, 60_000])(
  'a bound at %d before an activation of one operator stays, whatever the operator',
  async (most) => {
    for (const [kind, operator] of SINGLE)
      for (const bound of [clip(x, -most, most), min(x, most), max(x, -most)]) {
        const parts = spell(of(operator, bound), {
          ...{ type: 'f32', opset: 17, random: createRandom(9), vary: false },
        });
        const initializers = parts.initializers?.map((one) => ({ ...one, dims: [] })) ?? [];
        const { bytes: after } = await swapped(model({ ...parts, initializers }), { only: [kind] });
        const label = JSON.stringify([operator, bound]);
        expect(ops(after), label).toEqual([
          ...(typeof bound === 'object' ? [bound.op] : []),
          'Softplus',
          'Tanh',
          'Mul',
        ]);
      }
  },
);

/** Activations of several nodes with an upper bound on a part of them. */
const BOUNDED: [kind: string, (most: number) => Expression][] = [
  ['swish', (most) => mul(min(x, most), { op: 'Sigmoid', args: [x] })],
  ['hardswish', (most) => mul(min(x, most), div(clip(add(x, 3), 0, 6), 6))],
  ['elu', (most) => where(greater(x, 0), min(x, most), sub(exp(x), 1))],
  ['elu', (most) => add(min(relu(x), most), min(sub(exp(x), 1), 0))],
  ['mish', (most) => mul(min(x, most), { op: 'Tanh', args: [{ op: 'Softplus', args: [x] }] })],
];

test('an upper bound on a part of an activation, at whatever height, makes another function of it', async () => {
  for (const [kind, expression] of BOUNDED)
    for (const most of [61, 1000, 59_999, 65_504]) {
      const parts = spell(expression(most), {
        ...{ type: 'f32', opset: 17, random: createRandom(10), vary: false },
      });
      const initializers = parts.initializers?.map((one) => ({ ...one, dims: [] })) ?? [];
      const { sites, mish: found } = await inspect(model({ ...parts, initializers }), {
        ...(kind === 'mish' ? {} : { only: [kind] }),
      });
      const outputs = [...sites, ...found].map(({ output }) => output);
      expect(outputs.includes('y'), `${kind} up to ${most}`).toBe(most > 60_000);
    }
});

test('an upper bound on the positive part of a PReLU is kept', async () => {
  for (const most of [61, 1000, 59_999]) {
    const nodes = [
      node('Clip', ['x', 'zero', 'most'], ['above']),
      node('Min', ['x', 'zero'], ['below']),
      node('Mul', ['below', 'slopes'], ['scaled']),
      node('Add', ['above', 'scaled'], ['y']),
    ];
    const initializers = [
      floats('zero', [], [0]),
      floats('most', [], [most]),
      floats('slopes', [2], [0.1, 0.2]),
    ];
    const bytes = model({ nodes, initializers, inputs: [value('x', 1, ['N', 2])] });
    expect((await inspect(bytes, { only: ['prelu'] })).sites).toEqual([]);
  }
});

test('what is a line, or nothing, is not Mish, and a Relu that changes nothing is a site', async () => {
  const zero = [node('Relu', ['x'], ['r']), node('Neg', ['r'], ['n']), node('Add', ['r', 'n'], ['y'])];
  const { mish: found, sites } = await inspect(model({ nodes: zero }));
  expect(found).toEqual([]);
  expect(sites.map(({ output }) => output)).toEqual(['r']);
  const positive = [node('Softplus', ['x'], ['s']), node('Relu', ['s'], ['y'])];
  expect((await inspect(model({ nodes: positive }))).sites.map(({ output }) => output)).toEqual(['y']);
});
