import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { mish } from '../../src/mish/reference.js';
import { retarget } from '../../src/mish/retarget.js';
import { swap } from '../../src/mish/swap.js';
import { ifNode } from '../support/bodies.js';
import { casesOf } from '../support/heavy.js';
import { floats, halves, model, node, value } from '../support/model.js';
import { f32, run } from '../support/run.js';

// Random chains of functions after a Relu. Each is computed in float64 by formulas of its own: with ReLU, and with Mish.

interface Step {
  readonly op: string;
  readonly constant?: number;
  /** Whether the constant is the first operand. */
  readonly isFirst?: boolean;
  readonly f: (x: number) => number;
}

const CONSTANTS = [0.125, 0.25, 0.3125, 0.5, 0.75, 1, 1.5, 2, 4, 8];
const plain = (op: string, f: (x: number) => number) => fc.constant<Step>({ op, f });
const withConstant = (op: string, f: (x: number, c: number) => number, isFirst = false, signs = [1, -1]) =>
  fc.tuple(fc.constantFrom(...CONSTANTS), fc.constantFrom(...signs)).map(([size, sign]): Step => {
    const constant = size * sign;
    return { op, constant, isFirst, f: (x) => f(x, constant) };
  });

const STEPS = [
  withConstant('Add', (x, c) => x + c),
  withConstant('Add', (x, c) => x + c, true),
  withConstant('Sub', (x, c) => x - c),
  withConstant('Sub', (x, c) => c - x, true),
  withConstant('Mul', (x, c) => x * c),
  withConstant('Div', (x, c) => x / c),
  withConstant('Max', (x, c) => Math.max(x, c)),
  withConstant('Min', (x, c) => Math.min(x, c)),
  plain('Abs', Math.abs),
  plain('Neg', (x) => -x),
  plain('Exp', Math.exp),
  plain('Log', Math.log),
  plain('Sqrt', Math.sqrt),
  plain('Sigmoid', (x) => 1 / (1 + Math.exp(-x))),
  plain('Softplus', (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
  plain('Tanh', Math.tanh),
  plain('Floor', Math.floor),
  plain('Asin', Math.asin),
];
const DIVIDING = [
  withConstant('Div', (x, c) => c / x, true),
  plain('Reciprocal', (x) => 1 / x),
  ...[0.5, 2, 3, -1, -0.5].map((power) =>
    fc.constant<Step>({ op: 'Pow', constant: power, f: (x) => x ** power }),
  ),
];
const chainsOf = (steps: readonly fc.Arbitrary<Step>[]) =>
  fc.array(fc.oneof(...steps), { minLength: 1, maxLength: 5 });

/** A model of the chain from `start` to `end`, with the constants that it needs. */
function nodesOf(steps: readonly Step[], start: string, end: string) {
  const nodes: onnx.INodeProto[] = [];
  const constants: onnx.ITensorProto[] = [];
  for (const [at, { op, constant, isFirst }] of steps.entries()) {
    const [from, to] = [at === 0 ? start : `v${at}`, at === steps.length - 1 ? end : `v${at + 1}`];
    const inputs = constant === undefined ? [from] : isFirst ? [`c${at}`, from] : [from, `c${at}`];
    if (constant !== undefined) constants.push(floats(`c${at}`, [], [constant]));
    nodes.push(node(op, inputs, [to]));
  }
  return { nodes, constants };
}

const chainModel = (steps: readonly Step[]) => {
  const { nodes, constants } = nodesOf(steps, 'r', 'y');
  return model({ opset: 17, nodes: [node('Relu', ['x'], ['r']), ...nodes], initializers: constants });
};

// Far below zero, around Mish's minimum, and far above: a chain that fails for large values was not safe before.
const POINTS = [
  ...Array.from({ length: 200 }, (_, at) => -at / 20),
  ...Array.from({ length: 200 }, (_, at) => at / 20 + 0.01),
  ...Array.from({ length: 60 }, (_, at) => 1.5 ** at),
  ...[-1.19, -20, -80],
];
/** The largest finite result in float32. */
const MOST = 3.4e38;
const isFinite32 = (x: number) => Math.abs(x) <= MOST;
const apply = (steps: readonly Step[], x: number) =>
  steps.reduce((value, { f }) => f(Math.abs(value) < 1e-45 ? 0 : value), x);

/** Returns whether a chain is finite wherever ReLU's values go, and whether it is not finite somewhere for Mish's values. */
function truth(steps: readonly Step[]) {
  const [before, after] = [
    POINTS.map((x) => apply(steps, Math.max(x, 0))),
    POINTS.map((x) => apply(steps, mish(x))),
  ];
  return { wasSafe: before.every(isFinite32), isSafe: after.every(isFinite32) };
}

const isGuard = async (steps: readonly Step[]) =>
  (await swap(chainModel(steps))).report.skipped.some(({ reason }) => reason === 'guard');
/** Whether another reason to skip, or to stop, hides the answer. */
const isOther = async (steps: readonly Step[]) =>
  (await swap(chainModel(steps))).report.skipped.some(({ reason }) => reason !== 'guard');

test('a chain that is finite after ReLU, and not after Mish, is skipped', async () => {
  let count = 0;
  await fc.assert(
    fc.asyncProperty(chainsOf([...STEPS, ...DIVIDING]), async (steps) => {
      const { wasSafe, isSafe } = truth(steps);
      if (!wasSafe || isSafe || (await isOther(steps))) return;
      count++;
      expect(await isGuard(steps)).toBe(true);
    }),
    { seed: 19, numRuns: casesOf(3000) },
  );
  expect(count).toBeGreaterThan(20);
});

/** The operator that a guard names, and whether a chain before it leaves what it takes. */
const TAKES: Readonly<Record<string, (x: number) => boolean>> = {
  Sqrt: (x) => x >= 0,
  Log: (x) => x > 0,
  Asin: (x) => Math.abs(x) <= 1,
  Exp: (x) => x < 88,
};

test('a chain whose values stay in the domain of every operator is not skipped for a domain', async () => {
  let count = 0;
  await fc.assert(
    // With a divisor or a power the sign counts as well: there the guard is stricter than what is finite.
    fc.asyncProperty(chainsOf(STEPS), async (steps) => {
      const stays = steps.every(({ op }, at) => {
        const takes = TAKES[op];
        return takes === undefined || POINTS.every((x) => takes(apply(steps.slice(0, at), mish(x))));
      });
      if (!stays || steps.every(({ op }) => TAKES[op] === undefined)) return;
      if ((await swap(chainModel(steps))).report.sites.length > 0) count++;
      else expect(await isGuard(steps)).toBe(false);
    }),
    { seed: 20, numRuns: casesOf(1500) },
  );
  expect(count).toBeGreaterThan(10);
});

const LOG_ROOT = 'it keeps the operand of Sqrt from being negative (root)';
const logRoot = (from: string, to: string) => [
  node('Add', [from, 'one'], ['a']),
  node('Log', ['a'], ['l']),
  node('Sqrt', ['l'], [to], {}, { name: 'root' }),
];
const ONE = floats('one', [], [1]);

describe('√log(1 + ReLU)', () => {
  const whys = async (bytes: Uint8Array, options = {}) => {
    const { report } = await swap(bytes, options);
    return {
      sites: report.sites.map(({ doubt = '' }) => doubt),
      skipped: report.skipped.map(({ why }) => why),
    };
  };
  const main = model({
    nodes: [node('Relu', ['x'], ['r'], {}, { name: 'act' }), ...logRoot('r', 'y')],
    initializers: [ONE],
  });

  test('is skipped in the graph, in an If and across a function, and swapped on request', async () => {
    expect(await whys(main)).toEqual({ sites: [], skipped: [LOG_ROOT] });
    expect(await whys(main, { include: ['act'] })).toEqual({
      sites: [`swapped on request, although ${LOG_ROOT}`],
      skipped: [],
    });
    const inIf = model({
      nodes: [
        ifNode(
          'y',
          'out',
          [node('Relu', ['x'], ['r']), ...logRoot('r', 'out')],
          [node('Neg', ['x'], ['out'])],
        ),
      ],
      initializers: [ONE, { name: 'cond', dataType: 9, dims: [], rawData: new Uint8Array([1]) }],
    });
    expect((await whys(inIf)).skipped).toEqual([LOG_ROOT]);
    const local = {
      name: 'F',
      domain: 'local',
      input: ['x', 'one'],
      output: ['a'],
      node: [node('Relu', ['x'], ['r']), node('Add', ['r', 'one'], ['a'])],
      opsetImport: [{ domain: '', version: 17 }],
    };
    const across = model({
      opset: 17,
      nodes: [
        node('F', ['x', 'one'], ['a'], {}, { domain: 'local' }),
        node('Log', ['a'], ['l']),
        node('Sqrt', ['l'], ['y'], {}, { name: 'root' }),
      ],
      initializers: [ONE],
      functions: [local],
      domains: { local: 1 },
    });
    expect((await whys(across)).skipped).toEqual([LOG_ROOT]);
  });

  test('would be NaN, which the original is not', async () => {
    const feeds = { x: f32([-1, -2, 0.5, 3], [1, 4]) };
    const { output } = await swap(main, { include: ['act'] });
    expect((await run(main, feeds)).y?.some(Number.isNaN)).toBe(false);
    expect((await run(await output.bytes(), feeds)).y?.some(Number.isNaN)).toBe(true);
  });

  test('is a doubt of a retarget to a form that goes further below zero', async () => {
    const bytes = model({
      opset: 20,
      nodes: [node('Mish', ['x'], ['r']), node('Add', ['r', 'c'], ['p']), ...logRoot('p', 'y')],
      initializers: [ONE, floats('c', [], [0.32])],
    });
    const doubts = async (form: 'hard' | 'exp') =>
      (await retarget(bytes, { form })).report.sites.map(({ doubt }) => doubt);
    expect(await doubts('hard')).toEqual([LOG_ROOT]);
    expect(await doubts('exp')).toEqual([undefined]);
  });
});

test('a site that has no part in it is swapped', async () => {
  const { report } = await swap(
    model({
      nodes: [
        node('Relu', ['x'], ['r']),
        node('Relu', ['other'], ['s']),
        node('Exp', ['s'], ['e']),
        ...logRoot('r', 'q'),
        node('Mul', ['q', 'e'], ['y']),
      ],
      inputs: [value('x', 1, ['N', 4]), value('other', 1, ['N', 4])],
      initializers: [ONE],
    }),
  );
  expect(report.sites.map(({ output }) => output)).toEqual(['s']);
  expect(report.skipped.map(({ output }) => output)).toEqual(['r']);
});

test('an absent bound of a Clip is not the absent first output of a Split', async () => {
  const after = (outputs: string[]) => [
    node('Relu', ['x'], ['r']),
    node('Split', ['r', 'halves'], outputs, { axis: 1 }),
    node('Clip', ['z', '', 'six'], ['c']),
    node('Sqrt', ['c'], ['y']),
    node('Relu', ['z'], ['q']),
  ];
  for (const outputs of [
    ['', 'rest'],
    ['half', 'rest'],
  ]) {
    const bytes = model({
      nodes: after(outputs),
      inputs: [value('x', 1, ['N', 4]), value('z', 1, ['N', 4])],
      initializers: [
        floats('six', [], [6]),
        {
          name: 'halves',
          dataType: 7,
          dims: [2],
          rawData: new Uint8Array(new BigInt64Array([2n, 2n]).buffer),
        },
      ],
    });
    const { sites, skipped } = (await swap(bytes)).report;
    expect([sites.map(({ output }) => output), skipped]).toEqual([['r', 'q'], []]);
  }
});

describe('a power', () => {
  /** Returns what the guard of a chain from a Relu says, for a power whose base or exponent is that chain. */
  const guardOf = async (chain: readonly onnx.INodeProto[], inputs: string[]) => {
    const constants = {
      minus500: -500,
      plus500: 500,
      minus100: -100,
      tenth: 0.1,
      two: 2,
      half: 0.5,
      one: 1,
      neg: -2,
    };
    const { report } = await swap(
      model({
        nodes: [node('Relu', ['x'], ['r']), ...chain, node('Pow', inputs, ['y'], {}, { name: 'power' })],
        inputs: [value('x', 1, ['N', 4]), value('any', 1, ['N', 4])],
        initializers: Object.entries({ ...constants, minusHalf: -0.5, minusThree: -3, three: 3 }).map(
          ([name, one]) => floats(name, [], [one]),
        ),
      }),
    );
    return report.skipped.map(({ why }) =>
      why.replace(/^it keeps the operand of Pow from being (.*) \(power\)$/, '$1'),
    );
  };
  const times = (factor: string) => [node('Mul', ['r', factor], ['s'])];
  const plus = [node('Add', ['r', 'tenth'], ['s'])];
  test.each<[onnx.INodeProto[], string[], string[]]>([
    [times('minus500'), ['two', 's'], ['too large']],
    [times('minus100'), ['two', 's'], []],
    [times('plus500'), ['two', 's'], []],
    [times('plus500'), ['half', 's'], ['too small']],
    [times('minus500'), ['half', 's'], []],
    [times('minus500'), ['one', 's'], []],
    [times('minus500'), ['neg', 's'], []],
    [times('minus500'), ['any', 's'], []],
    [[], ['r', 'any'], ['negative']],
    [[], ['r', 'half'], ['negative']],
    [[], ['r', 'three'], []],
    [plus, ['s', 'minusHalf'], ['negative']],
    [plus, ['s', 'minusThree'], ['it keeps a divisor from being zero or negative (power)']],
    [times('minus100'), ['s', 'three'], []],
  ])('after %j of %j', async (chain, inputs, expected) => {
    expect(await guardOf(chain, inputs)).toEqual(expected);
  });
});

test.each<[string, onnx.INodeProto, string[]]>([
  ['transposed', node('Transpose', ['l'], ['m']), [LOG_ROOT]],
  ['beside a zero', node('Concat', ['l', 'zero'], ['m'], { axis: 1 }), [LOG_ROOT]],
  ['beside several constants', node('Concat', ['zeros', 'l'], ['m'], { axis: 1 }), [LOG_ROOT]],
  ['beside a negative constant', node('Concat', ['l', 'below'], ['m'], { axis: 1 }), []],
  ['padded with zeros', node('Pad', ['l', 'ends'], ['m']), [LOG_ROOT]],
  [
    'added to others',
    node('ScatterElements', ['zeros', 'at', 'l'], ['m'], { axis: 1, reduction: 'add' }),
    [],
  ],
])('values that are %s keep their guard only if they stay in the domain', async (_, mover, expected) => {
  const integers = (name: string, data: number[], dims: number[]) => ({
    ...{ name, dataType: 7, dims, rawData: new Uint8Array(BigInt64Array.from(data, BigInt).buffer) },
  });
  const { report } = await swap(
    model({
      nodes: [
        node('Relu', ['x'], ['r']),
        ...[node('Add', ['r', 'one'], ['a']), node('Log', ['a'], ['l']), mover],
        node('Sqrt', ['m'], ['y'], {}, { name: 'root' }),
      ],
      inputs: [value('x', 1, [1, 4])],
      initializers: [
        ...[
          ONE,
          floats('zeros', [1, 4], [0, 0, 0, 0]),
          floats('zero', [1, 1], [0]),
          floats('below', [1, 1], [-1]),
        ],
        ...[integers('ends', [0, 1, 0, 1], [4]), integers('at', [0, 1, 2, 3], [1, 4])],
      ],
    }),
  );
  expect(report.skipped.map(({ why }) => why)).toEqual(expected);
});

test('the largest operand of an Exp is that of the type', async () => {
  for (const [elemType, constants, expected] of [
    [1, floats, []],
    [10, halves, ['it keeps the operand of Exp from being too large (e)']],
  ] as const) {
    const { report } = await swap(
      model({
        nodes: [
          ...[node('Relu', ['x'], ['r']), node('Mul', ['r', 'factor'], ['s'])],
          node('Exp', ['s'], ['y'], {}, { name: 'e' }),
        ],
        inputs: [value('x', elemType, ['N', 4])],
        outputs: [value('y', elemType, ['N', 4])],
        initializers: [constants('factor', [], [-50])],
      }),
    );
    expect(report.skipped.map(({ why }) => why)).toEqual(expected);
  }
});

test('nodes of very many values are followed', async () => {
  const many = new Array<string>(130_000).fill('r');
  const nodes = [
    node('Relu', ['x'], ['r']),
    node('Sqrt', ['r'], ['s']),
    ...['Max', 'Concat'].map((op) => node(op, many, [op], op === 'Concat' ? { axis: 0 } : {})),
  ];
  const { report } = await swap(model({ nodes, inputs: [value('x', 1, [1])] }), { include: ['r'] });
  expect(report.sites.map(({ doubt }) => doubt)).toEqual([expect.stringContaining('Sqrt')]);
});
