// Which swaps are wrong, or doubtful, depends on the old and on the new activation.
import { describe, expect, test } from 'vitest';
import type { ReplacementName } from '../../src/mish/activation-kinds.js';
import { inspect } from '../../src/mish/inspect.js';
import { planOf } from '../../src/mish/plan.js';
import { retarget } from '../../src/mish/retarget.js';
import { type SwapOptions, swap } from '../../src/mish/swap.js';
import type { AttributeValue } from '../support/model.js';
import { floats, type ModelParts, model, node, value } from '../support/model.js';
import { f32, run } from '../support/run.js';

type Steps = readonly (readonly [
  op: string,
  second?: number | undefined,
  attributes?: Record<string, AttributeValue>,
])[];

/** A chain of operators after an activation, each with a constant as second operand where one is given. */
function chain(activation: string, steps: Steps, opset = 20): Uint8Array {
  const initializers = steps.flatMap(([, second], at) =>
    second === undefined ? [] : [floats(`c${at}`, [], [second])],
  );
  const nodes = steps.map(([op, second, attributes], at) => {
    const output = at === steps.length - 1 ? 'y' : `h${at}`;
    const inputs = [at === 0 ? 'a' : `h${at - 1}`, ...(second === undefined ? [] : [`c${at}`])];
    return node(op, inputs, [output], attributes);
  });
  return model({
    opset,
    nodes: [node(activation, ['x'], ['a'], {}, { name: 'act' }), ...nodes],
    initializers,
  });
}

/** `swapped`, the reason to skip, or the doubt. */
async function verdict(bytes: Uint8Array, to: ReplacementName, only: string): Promise<string> {
  const { report } = await swap(bytes, { to, only: [only] });
  const [site] = report.sites;
  return site === undefined ? (report.skipped[0]?.reason ?? 'none') : (site.doubt ?? 'swapped');
}

const ALL: readonly ReplacementName[] = ['mish', 'relu', 'leakyrelu', 'swish', 'gelu', 'hardswish', 'elu'];
const OPERATOR = { relu: 'Relu', mish: 'Mish', elu: 'Elu', gelu: 'Gelu', hardswish: 'HardSwish' } as const;
type From = keyof typeof OPERATOR;

describe('a guarded domain', () => {
  /** For each old activation and each steps: the new activations that would leave the domain. */
  test.each<[string, From, Steps, readonly ReplacementName[]]>([
    ['√relu', 'relu', [['Sqrt']], ['mish', 'leakyrelu', 'swish', 'gelu', 'hardswish', 'elu']],
    ['√(relu + 0.2)', 'relu', [['Add', 0.2], ['Sqrt']], ['mish', 'leakyrelu', 'swish', 'hardswish', 'elu']],
    ['√(relu + 0.29)', 'relu', [['Add', 0.29], ['Sqrt']], ['mish', 'leakyrelu', 'hardswish', 'elu']],
    ['√(relu + 0.35)', 'relu', [['Add', 0.35], ['Sqrt']], ['leakyrelu', 'hardswish', 'elu']],
    ['√(relu + 0.5)', 'relu', [['Add', 0.5], ['Sqrt']], ['leakyrelu', 'elu']],
    ['√(relu + 1)', 'relu', [['Add', 1], ['Sqrt']], ['leakyrelu']],
    ['1 / (relu + 0.4)', 'relu', [['Add', 0.4], ['Reciprocal']], ['leakyrelu', 'elu']],
    ['log(elu + 1)', 'elu', [['Add', 1], ['Log']], ['leakyrelu']],
    ['√(mish + 0.31)', 'mish', [['Add', 0.31], ['Sqrt']], ['leakyrelu', 'hardswish', 'elu']],
    ['√mish, which is NaN already', 'mish', [['Sqrt']], []],
    ['√(elu + 0.5), which is NaN already', 'elu', [['Add', 0.5], ['Sqrt']], []],
    ['√(hardswish + 0.38)', 'hardswish', [['Add', 0.38], ['Sqrt']], ['leakyrelu', 'elu']],
  ])('%s', async (_, from, steps, guarded) => {
    const bytes = chain(OPERATOR[from], steps);
    for (const to of ALL.filter((name) => name !== from))
      expect(await verdict(bytes, to, from), to).toSatisfy((found: string) =>
        guarded.includes(to) ? found === 'guard' : found !== 'guard',
      );
  });

  test('what is swapped gives no NaN where the old activation gave none', async () => {
    const points = Array.from({ length: 480 }, (_, at) => 200 * ((at - 240) / 240) ** 3);
    for (const shift of [0.2, 0.29, 0.35, 0.5, 1, 1.2]) {
      const source = chain('Relu', [['Add', shift], ['Sqrt']]);
      for (const to of ALL.filter((name) => name !== 'relu')) {
        const { output, report } = await swap(source, { to });
        const { y } = await run(await output.bytes(), { x: f32(points, [120, 4]) });
        expect(y?.some(Number.isNaN), `${to} + ${shift}`).toBe(false);
        // A skip is not idle: the activation would have left the domain.
        if (report.sites.length > 0) continue;
        const asked = await swap(source, { to, include: ['act'] });
        expect(asked.report.sites[0]?.doubt).toMatch(/^swapped on request, although it keeps the operand/);
        const forced = await run(await asked.output.bytes(), { x: f32(points, [120, 4]) });
        expect(forced.y?.some(Number.isNaN), `${to} + ${shift}, forced`).toBe(true);
      }
    }
  });

  test('behind a layer with non-negative weights is a doubt that names the new activation', async () => {
    const parts: ModelParts = {
      nodes: [
        node('Relu', ['x'], ['a'], {}, { name: 'act' }),
        node('MatMul', ['a', 'w'], ['h'], {}, { name: 'layer' }),
        node('Sqrt', ['h'], ['y'], {}, { name: 'root' }),
      ],
      initializers: [
        floats(
          'w',
          [4, 4],
          Array.from({ length: 16 }, () => 0.5),
        ),
      ],
    };
    for (const [to, label] of [
      ['elu', 'ELU'],
      ['hardswish', 'HardSwish'],
    ] as const)
      expect(await verdict(model(parts), to, 'relu')).toBe(
        `the weights of layer are all non-negative, and Sqrt root follows: ${label} may make its operand negative`,
      );
  });
});

describe('a form or a sharpness that goes further below zero than Mish', () => {
  /** Returns how the model is swapped, and whether the square root of the lowest value is a number. */
  async function outcome(shift: number, options: SwapOptions): Promise<[string, boolean]> {
    const bytes = chain('Relu', [['Add', shift], ['Sqrt']]);
    const { report } = await swap(bytes, options);
    const { output } = await swap(bytes, { ...options, include: ['act'] });
    const data = Array.from({ length: 400 }, (_, at) => -at / 50);
    const { y = [] } = await run(await output.bytes(), { x: f32(data, [100, 4]) });
    return [report.sites.length === 1 ? 'swapped' : 'guard', y.every((value) => !Number.isNaN(value))];
  }

  test.each<[SwapOptions, number]>([
    [{}, 0.309],
    [{ form: 'sigmoid' }, 0.338],
    [{ form: 'tanh' }, 0.31],
    [{ form: 'hard' }, 0.4243],
    [{ beta: 0.5 }, 0.618],
    [{ form: 'hard', beta: 0.5 }, 0.8486],
  ])('%j guards a root up to its depth', async (options, depth) => {
    expect(await outcome(depth - 0.002, options)).toEqual(['guard', false]);
    expect(await outcome(depth + 0.002, options)).toEqual(['swapped', true]);
    const plan = planOf((await swap(chain('Relu', [['Exp']]), options)).report);
    const guarded = chain('Relu', [['Add', depth - 0.002], ['Sqrt']]);
    const { report } = await swap(guarded, { plan: { ...plan, sites: [{ scope: 'graph', output: 'a' }] } });
    expect(report.sites[0]?.doubt).toMatch(/^swapped on request, although it keeps the operand of Sqrt/);
  });

  test('is a doubt of a retarget', async () => {
    for (const [steps, doubt] of [
      [[['Add', 0.35], ['Sqrt']], /^it keeps the operand of Sqrt from being negative/],
      [[['Abs'], ['Log']], /^its zeros reach Log/],
      [[['Exp'], ['Sqrt']], undefined],
    ] as [Steps, RegExp | undefined][]) {
      const [site] = (await retarget(chain('Mish', steps), { form: 'hard' })).report.sites;
      if (doubt === undefined) expect(site?.doubt).toBeUndefined();
      else expect(site?.doubt).toMatch(doubt);
      const { report } = await retarget(chain('Mish', steps), { form: 'exp' });
      expect(report.sites[0]?.doubt).toBeUndefined();
    }
  });
});

describe('zeros', () => {
  test.each<[string, Steps]>([
    ['a divisor', [['Reciprocal']]],
    ['a logarithm', [['Mul', 3], ['Abs'], ['Log']]],
    ['a divisor after a root', [['Mul', 3], ['Abs'], ['Sqrt'], ['Reciprocal']]],
    ['a divisor after a norm', [['ReduceL2'], ['Reciprocal']]],
    ['a logarithm after a square and a product', [['Pow', 2], ['Mul', -3], ['Abs'], ['Log']]],
  ])(
    'of the hard form that reach %s are a doubt, but not those of a mixture or of ReLU',
    async (_, steps) => {
      const doubt = async (from: string, options: SwapOptions) =>
        (await swap(chain(from, steps), options)).report.sites[0]?.doubt ?? 'none';
      expect(await doubt('LeakyRelu', { form: 'hard' })).toMatch(/^its zeros reach (Reciprocal|Log)/);
      for (const options of [{ form: 'hard', leaky: 'mixture' }, { form: 'sigmoid' }, {}] as const)
        expect(await doubt('LeakyRelu', options)).toBe('none');
      const { y = [] } = await run(
        await (await swap(chain('LeakyRelu', steps), { form: 'hard' })).output.bytes(),
        {
          x: f32([-5, -4, -6, -7], [1, 4]),
        },
      );
      expect(y.every(Number.isFinite)).toBe(false);
    },
  );

  test('that reach a divisor or a logarithm are a doubt for ReLU and HardSwish', async () => {
    for (const [steps, doubt] of [
      [[['Reciprocal']], 'its zeros reach Reciprocal (y)'],
      [[['Mul', 2], ['Log']], 'its zeros reach Log (y)'],
      [[['Pow', -2]], 'its zeros reach Pow (y)'],
    ] as [Steps, string][]) {
      const bytes = chain('Mish', steps);
      const named = doubt.replace('(y)', `(${steps.at(-1)?.[0]} → y)`);
      for (const to of ['relu', 'hardswish'] as const)
        expect([doubt, named]).toContain(await verdict(bytes, to, 'mish'));
      for (const to of ['gelu', 'swish'] as const) expect(await verdict(bytes, to, 'mish')).toBe('swapped');
    }
  });

  test.each<[string, Steps]>([
    ['a root', [['Sqrt']]],
    ['a divisor above zero', [['Add', 1e-5], ['Reciprocal']]],
    ['a square', [['Pow', 2]]],
    ['a layer', [['Exp']]],
  ])('that reach %s are none', async (_, steps) => {
    expect(await verdict(chain('Mish', steps), 'relu', 'mish')).toBe('swapped');
  });

  test('in place of signs that decide a mask are a doubt', async () => {
    const bytes = chain('Mish', [['Sign']]);
    expect(await verdict(bytes, 'relu', 'mish')).toMatch(/^its sign decides a mask, and becomes zero/);
    expect(await verdict(bytes, 'swish', 'mish')).toBe('swapped');
    // Zeros of ReLU that decide a mask are a reason to skip, for every other activation.
    for (const to of ALL.filter((name) => name !== 'relu'))
      expect(await verdict(chain('Relu', [['Sign']]), to, 'relu')).toBe('mask');
  });
});

describe('the other reasons', () => {
  test('a clamp, arithmetic and a calibrated scale hold for every new activation', async () => {
    const cast: Steps = [
      ['Cast', undefined, { to: 7 }],
      ['Cast', undefined, { to: 1 }],
    ];
    for (const to of ALL.filter((name) => name !== 'relu')) {
      expect(await verdict(chain('Relu', [['Min', 6]]), to, 'relu'), to).toBe('clamp');
      expect(await verdict(chain('Relu', cast), to, 'relu'), to).toBe('arithmetic');
    }
    const quantised = (activation: string) =>
      model({
        opset: 20,
        nodes: [
          node(activation, ['x'], ['a']),
          node('QuantizeLinear', ['a', 's'], ['q']),
          node('DequantizeLinear', ['q', 's'], ['y']),
        ],
        initializers: [floats('s', [], [0.1])],
      });
    for (const to of ALL) {
      if (to !== 'relu') expect(await verdict(quantised('Relu'), to, 'relu'), to).toBe('quantized');
      if (to !== 'mish') expect(await verdict(quantised('Mish'), to, 'mish'), to).toBe('quantized');
    }
  });

  test('lost negative values are a doubt that names the new activation', async () => {
    const square = chain('Relu', [['Pow', 2]]);
    expect(await verdict(square, 'gelu', 'relu')).toMatch(/^GELU’s negative values are lost in a square/);
    expect(await verdict(square, 'leakyrelu', 'relu')).toMatch(/^LeakyReLU’s negative values/);
    expect(await verdict(chain('Mish', [['Pow', 2]]), 'relu', 'mish')).toBe('swapped');
  });

  test('integers are skipped with the name of the new activation', async () => {
    const io = (name: string) => value(name, 6, ['N']);
    const bytes = model({ nodes: [node('Relu', ['x'], ['y'])], inputs: [io('x')], outputs: [io('y')] });
    const { report } = await swap(bytes, { to: 'elu' });
    expect(report.skipped[0]?.why).toBe('its elements are i32, and ELU is for floats');
  });

  test('a Relu inside another operator is no obstacle to ReLU', async () => {
    const fused = (activation: string) =>
      model({
        nodes: [node('FusedConv', ['x', 'w'], ['y'], { activation }, { domain: 'com.microsoft' })],
        initializers: [floats('w', [1, 1, 1, 1], [1])],
        inputs: [value('x', 1, ['N', 1, 4, 4])],
        outputs: [value('y', 1, ['N', 1, 4, 4])],
        domains: { 'com.microsoft': 1 },
      });
    const skipped = async (activation: string, to: ReplacementName) =>
      (await swap(fused(activation), { to })).report.skipped.map(({ reason }) => reason);
    expect(await skipped('Relu', 'relu')).toEqual([]);
    expect(await skipped('LeakyRelu', 'relu')).toEqual(['fused']);
    expect(await skipped('Relu', 'gelu')).toEqual(['fused']);
  });
});

describe('-Infinity that reaches a site', () => {
  const bytes = model({
    nodes: [node('Add', ['x', 'mask'], ['h']), node('Relu', ['h'], ['y'])],
    initializers: [floats('mask', [4], [0, 0, Number.NEGATIVE_INFINITY, 0])],
  });
  const notes = async (options: SwapOptions) => (await swap(bytes, options)).report.notes.join('\n');

  test('is told with what the new activation makes of it', async () => {
    expect(await notes({})).toContain('where ReLU gives 0 and Mish gives NaN');
    expect(await notes({ to: 'swish' })).toContain('where ReLU gives 0 and Swish gives NaN');
    expect(await notes({ to: 'leakyrelu' })).toContain('where ReLU gives 0 and LeakyReLU gives -Infinity');
    expect(await notes({ to: 'elu' })).not.toContain('Infinity');
  });
});

test('inspect takes the activation that is to be written', async () => {
  const bytes = chain('Mish', [['Neg']]);
  expect((await inspect(bytes)).sites).toEqual([]);
  expect((await inspect(bytes, { to: 'relu' })).sites.map(({ kind }) => kind)).toEqual(['mish']);
});
