// The activations that `swap` writes with `to`: their operators on ONNX Runtime against the formulas in float64.
import { describe, expect, test } from 'vitest';
import { createRandom } from '../../src/base/random.js';
import { KINDS, REPLACEMENTS, type ReplacementName } from '../../src/mish/activation-kinds.js';
import { ACTIVATIONS } from '../../src/mish/activations.js';
import { undo } from '../../src/mish/history.js';
import { inspect } from '../../src/mish/inspect.js';
import { parsePlan, planOf } from '../../src/mish/plan.js';
import { type SwapOptions, swap } from '../../src/mish/swap.js';
import { FLOAT_TYPES } from '../../src/onnx/types.js';
import { decode, ops, swapped } from '../support/graph.js';
import { everyNth, isHeavy } from '../support/heavy.js';
import { type CheckedType, expectClose, held, POINTS } from '../support/mish.js';
import { floats, model, node, value } from '../support/model.js';
import { f32, run } from '../support/run.js';
import { add, div, type Expression, exp, log, mul, sigmoid, spell, tanh } from '../support/spellings.js';
import references from './activations.json' with { type: 'json' };

const OPSETS = [7, 9, 11, 13, 14, 18, 20, 22];
/** The opsets for types other than float32: all in the heavy mode, to save time. */
const FEW_OPSETS = isHeavy ? OPSETS : [7, 13, 20];
const TYPES: readonly CheckedType[] = ['f32', 'f16', 'f64'];
/** Without the constants. */
const operators = (bytes: Uint8Array) => ops(bytes).filter((op) => op !== 'Constant');

const sources = new Map<string, Promise<Uint8Array>>();
/** A model of one activation, as `swap` writes it. */
function modelOf(name: ReplacementName, opset: number, type: CheckedType): Promise<Uint8Array> {
  const key = `${name} ${opset} ${type}`;
  const known = sources.get(key) ?? write(name, opset, type);
  sources.set(key, known);
  return known;
}
async function write(to: ReplacementName, opset: number, type: CheckedType): Promise<Uint8Array> {
  if (to === 'relu') return act('Relu', opset, type);
  const form = to === 'mish' ? ({ form: 'exp' } as const) : {};
  return (await swap(act('Relu', opset, type), { to, ...form, undo: false })).output.bytes();
}
function act(op: string, opset: number, type: CheckedType): Uint8Array {
  const io = (name: string) => value(name, FLOAT_TYPES[type], ['N']);
  const ir = opset < 9 ? 3 : 8;
  return model({ opset, ir, nodes: [node(op, ['x'], ['y'])], inputs: [io('x')], outputs: [io('y')] });
}
const feed = (type: CheckedType) => ({ x: { type, dims: [POINTS.length], data: POINTS } });
const formula = (name: ReplacementName, type: CheckedType, beta = 1, leak?: number) =>
  POINTS.map((x) => ACTIVATIONS[name].f(held(x, type), { beta, leak }));

/** The kernels that ONNX Runtime lacks on the CPU; a note of the swap names each. */
function lacks(name: ReplacementName, opset: number, type: CheckedType): string | undefined {
  if (type !== 'f64') return undefined;
  if (name === 'gelu') return opset < 20 ? 'no Erf for float64' : 'no Gelu for float64';
  const clips = name === 'hardswish' || name === 'mish';
  return clips && opset < 12 ? 'no Clip for float64 before opset 12' : undefined;
}

describe('the formula', () => {
  const columns = Object.keys(references.values) as (keyof typeof references.values)[];
  test.each(columns)('of %s gives PyTorch’s numbers', (column) => {
    const [name = '', parameter] = column.split(' ');
    const { f } = ACTIVATIONS[name as ReplacementName];
    const number = parameter === undefined ? undefined : Number(parameter);
    const variant = name === 'leakyrelu' ? { beta: 1, leak: number } : { beta: number ?? 1 };
    for (const [at, x] of references.points.entries()) {
      const want = references.values[column][at] ?? Number.NaN;
      expect(Math.abs(f(x, variant) - want)).toBeLessThanOrEqual(2e-15 + 4e-15 * Math.abs(want));
    }
  });

  test('is never further below zero than its kind says, and comes close to it', () => {
    const points = Array.from({ length: 40_001 }, (_, at) => (at - 20_000) / 1000);
    for (const name of REPLACEMENTS) {
      const depth = KINDS.find((kind) => kind.name === name)?.depth ?? Number.NaN;
      const least = Math.min(...points.map((x) => ACTIVATIONS[name].f(x, { beta: 1 })));
      if (depth === Infinity) expect(least).toBe(-0.2);
      else expect(least).toSatisfy((low: number) => low >= -depth && low <= -depth + 6e-4);
    }
  });

  test('has the value at -Infinity that the notes say', async () => {
    for (const name of REPLACEMENTS) {
      const bytes = await modelOf(name, 18, 'f32');
      const { y } = await run(bytes, { x: f32([Number.NEGATIVE_INFINITY]) });
      const { atMinusInfinity } = ACTIVATIONS[name];
      if (atMinusInfinity === undefined) expect(y?.[0]).toSatisfy(Number.isFinite);
      // The exp form limits its input: only a factor of zero gives NaN.
      else if (name !== 'mish') expect(String(y?.[0])).toBe(atMinusInfinity);
    }
  });
});

const PAIRS = REPLACEMENTS.flatMap((from) =>
  REPLACEMENTS.filter((to) => to !== from).map((to) => ({ from, to })),
);

describe.each(everyNth(2, PAIRS))('$from to $to', ({ from, to }) => {
  test.each(TYPES)('in %s at each opset: the numbers, undo, the plan, and its name', async (type) => {
    for (const opset of type === 'f32' ? OPSETS : FEW_OPSETS) {
      if (opset < 9 && (from === 'gelu' || to === 'gelu')) continue; // a test below
      const source = await modelOf(from, opset, type);
      const options: SwapOptions = { to, only: [from], ...(to === 'mish' ? { form: 'exp' } : {}) };
      const { output, report } = await swap(source, options);
      const where = `${from} to ${to}, ${type}, opset ${opset}`;
      expect([report.to, ...report.sites.map(({ kind }) => kind)], where).toEqual([to, from]);
      const bytes = await output.bytes();
      const missing = lacks(to, opset, type);
      if (missing === undefined) expectClose((await run(bytes, feed(type))).y, formula(to, type), type);
      else expect(report.notes.join(), where).toContain(missing);
      expect(Buffer.compare(await (await undo(bytes)).bytes(), source), where).toBe(0);
      // The rest does not depend on the type, and little on the opset.
      if (!isHeavy && !(type === 'f32' && [9, 14, 20].includes(opset))) continue;
      const plan = parsePlan(JSON.parse(JSON.stringify(planOf(report))));
      expect(Buffer.compare(await (await swap(source, { plan })).output.bytes(), bytes), where).toBe(0);
      const { history, kinds } = await inspect(bytes);
      expect(kinds, where).toEqual({ [to]: 1 });
      expect(history.at(-1)?.to ?? 'mish').toBe(to);
    }
  });
});

describe('the kinds that a swap includes', () => {
  const source = () =>
    model({
      opset: 22,
      nodes: [
        node('Relu', ['x'], ['relu']),
        node('LeakyRelu', ['relu'], ['leakyrelu'], { alpha: { f: 0.2 } }),
        node('Mish', ['leakyrelu'], ['mish']),
        node('Sigmoid', ['mish'], ['sigmoid']),
        node('Mul', ['mish', 'sigmoid'], ['swish']),
        node('Gelu', ['swish'], ['gelu']),
        node('HardSwish', ['gelu'], ['hardswish']),
        node('Elu', ['hardswish'], ['elu']),
        node('Gelu', ['elu'], ['tanhgelu'], { approximate: 'tanh' }),
        node('Neg', ['tanhgelu'], ['y']),
      ],
    });
  const kindsOf = async (options: SwapOptions) =>
    (await swap(source(), options)).report.sites.map(({ kind }) => kind);

  test('by default are relu and leakyrelu, and mish too unless mish is written, but never the written kind', async () => {
    expect(await kindsOf({})).toEqual(['relu', 'leakyrelu']);
    expect(await kindsOf({ to: 'mish' })).toEqual(['relu', 'leakyrelu']);
    expect(await kindsOf({ to: 'relu' })).toEqual(['leakyrelu', 'mish']);
    expect(await kindsOf({ to: 'leakyrelu' })).toEqual(['relu', 'mish']);
    for (const to of ['swish', 'silu', 'gelu', 'hardswish', 'elu'] as const)
      expect(await kindsOf({ to })).toEqual(['relu', 'leakyrelu', 'mish']);
  });

  test('are chosen by only, with silu as another name of swish', async () => {
    expect(await kindsOf({ to: 'relu', only: ['silu', 'gelu'] })).toEqual(['swish', 'gelu', 'gelu']);
    expect(await kindsOf({ only: ['swish', 'elu'] })).toEqual(['swish', 'elu']);
    expect(await kindsOf({ to: 'elu', only: ['hardswish', 'mish'] })).toEqual(['mish', 'hardswish']);
  });

  test('never include the activation that is written', async () => {
    for (const only of [['swish'], ['silu', 'relu']])
      await expect(swap(source(), { to: 'swish', only })).rejects.toMatchObject({
        code: 'bad-usage',
        what: `'${only[0]}' cannot replace itself`,
      });
  });

  test('are counted by inspect, whether or not a swap includes them', async () => {
    const { kinds, mish } = await inspect(source());
    expect(kinds).toEqual({
      ...{ gelu: 2, elu: 1, hardswish: 1, leakyrelu: 1, mish: 1, relu: 1, swish: 1 },
    });
    expect(mish).toHaveLength(1);
  });

  test('are those written out in several nodes, in many ways', async () => {
    const x = 'x';
    const written: Record<string, Expression[]> = {
      mish: [mul(x, tanh(log(add(1, exp(x))))), mul(x, tanh(log(add(1, exp(mul(2, x))))))],
      swish: [mul(x, sigmoid(x)), div(x, add(1, exp(mul(-1, x)))), mul(sigmoid(mul(1.702, x)), x)],
      gelu: [
        mul(0.5, mul(x, add(1, { op: 'Erf', args: [div(x, Math.SQRT2)] }))),
        mul(mul(0.5, x), add(1, tanh(mul(0.7978845608, add(x, mul(0.044715, mul(x, mul(x, x)))))))),
      ],
    };
    const random = createRandom(3);
    for (const [kind, expressions] of Object.entries(written))
      for (const expression of expressions)
        for (const vary of [false, true]) {
          const bytes = model(spell(expression, { type: 'f32', opset: 17, random, vary }));
          const { report, output } = await swap(bytes, { to: 'relu', only: [kind] });
          expect(report.sites.map((site) => [site.kind, site.output])).toEqual([[kind, 'y']]);
          const after = await output.bytes();
          expect(operators(after).filter((op) => op !== 'Identity' && op !== 'Cast')).toEqual(['Relu']);
          const { y } = await run(after, { x: f32(POINTS) });
          expectClose(
            y,
            POINTS.map((at) => Math.max(at, 0)),
          );
        }
  });
});

describe('the parameters', () => {
  const relu = act('Relu', 17, 'f32');
  const write = async (options: SwapOptions) => {
    const { output, report } = await swap(relu, options);
    return { y: (await run(await output.bytes(), feed('f32'))).y, report, bytes: await output.bytes() };
  };

  test('of LeakyReLU: alpha is its slope, 0.01 by default', async () => {
    expectClose((await write({ to: 'leakyrelu' })).y, formula('leakyrelu', 'f32'));
    for (const alpha of [0.2, -0.5, 8]) {
      const { y, report } = await write({ to: 'leakyrelu', alpha });
      expectClose(y, formula('leakyrelu', 'f32', 1, alpha));
      expect(report.sites[0]?.leak).toBe(alpha);
      const { output } = await swap(relu, { plan: planOf(report) });
      expectClose((await run(await output.bytes(), feed('f32'))).y, y ?? []);
    }
  });

  test('of LeakyReLU: the slope of a mixture comes back', async () => {
    const source = model({ nodes: [node('LeakyRelu', ['x'], ['y'], { alpha: { f: 0.25 } })] });
    const { bytes } = await swapped(source, { leaky: 'mixture', beta: 4 });
    const { report, bytes: back } = await swapped(bytes, { to: 'leakyrelu' });
    expect(report.sites[0]?.leak).toBeCloseTo(0.25, 6);
    expect(operators(back)).toEqual(['LeakyRelu']);
    const other = await swapped(bytes, { to: 'leakyrelu', alpha: 0.1 });
    expect(other.report.sites[0]?.leak).toBe(0.1);
  });

  test('of Swish: beta is its sharpness, and folds into weights as Mish’s does', async () => {
    for (const beta of [0.5, 4]) {
      const { y, report, bytes } = await write({ to: 'swish', beta });
      expectClose(y, formula('swish', 'f32', beta));
      expect(report.beta).toBe(beta);
      expect((await inspect(bytes)).history[0]?.beta).toBe(beta);
    }
    const source = model({
      nodes: [node('Mul', ['x', 'w'], ['h']), node('Relu', ['h'], ['r']), node('Mul', ['r', 'v'], ['y'])],
      initializers: [floats('w', [4], [1, 2, 3, 4]), floats('v', [4], [1, -1, 2, 3])],
      inputs: [value('x', 1, ['N', 4])],
    });
    const plain = await swapped(source, { to: 'swish', beta: 4 });
    const folded = await swapped(source, { to: 'swish', beta: 4, fold: true });
    expect(operators(folded.bytes)).toEqual(['Mul', 'Sigmoid', 'Mul', 'Mul']);
    expect(folded.report.fold?.folded).toHaveLength(1);
    const given = { x: f32(POINTS, [7, 4]) };
    expect((await run(folded.bytes, given)).y).toEqual((await run(plain.bytes, given)).y);
    expect(Buffer.compare(await (await undo(folded.bytes)).bytes(), source)).toBe(0);
  });

  test.each<[SwapOptions, string]>([
    [{ to: 'relu', beta: 2 }, 'ReLU is written without a sharpness β'],
    [{ to: 'hardswish', beta: 4 }, 'HardSwish is written without a sharpness β'],
    [{ to: 'elu', alpha: 0.5 }, 'ELU has no slope α'],
    [{ alpha: 0.5 }, 'Mish has no slope α'],
    [{ to: 'leakyrelu', alpha: 0 }, 'the slope α cannot be 0'],
    [{ to: 'leakyrelu', alpha: Number.NaN }, 'the slope α cannot be NaN'],
    [{ to: 'gelu', form: 'exp' }, 'the option form chooses a form of Mish, and GELU is written'],
    [{ to: 'relu', leaky: 'mixture' }, 'a mixture with ReLU is not possible'],
    [{ to: 'selu' as 'elu' }, "'selu' is not an activation to write"],
    [{ to: 'relu6' as 'relu' }, "'relu6' is not an activation to write"],
    [{ to: 'swish', beta: -1 }, 'the sharpness β cannot be -1'],
  ])('%j is refused in one sentence', async (options, what) => {
    await expect(swap(relu, options)).rejects.toMatchObject({ code: 'bad-usage', what });
  });
});

describe('a plan', () => {
  test('of an activation without a sharpness refuses one, for all sites or for one', async () => {
    const relu = act('LeakyRelu', 17, 'f32');
    const plan = planOf((await swap(relu, { to: 'relu' })).report);
    const refusal = { code: 'bad-usage', what: 'ReLU is written without a sharpness β' };
    await expect(swap(relu, { plan: { ...plan, beta: 2 } })).rejects.toMatchObject(refusal);
    const sites = plan.sites.map((site) => ({ ...site, beta: 2 }));
    await expect(swap(relu, { plan: { ...plan, sites } })).rejects.toMatchObject(refusal);
  });

  test('chooses the activation, whatever the other options are', async () => {
    const relu = act('LeakyRelu', 17, 'f32');
    const plan = planOf((await swap(relu, { to: 'elu' })).report);
    expect((await swap(relu, { plan, to: 'gelu' })).report.to).toBe('elu');
  });
});

describe('in graphs inside others', () => {
  test('If bodies share the constants of the graph around them', async () => {
    const branch = (output: string) => ({
      name: output,
      node: [node('Relu', ['x'], [output], {}, { name: `${output}/act` })],
      output: [value(output, 1, ['N', 4])],
    });
    const source = model({
      opset: 13,
      nodes: [
        node('If', ['c'], ['y'], {
          then_branch: { graph: branch('t') },
          else_branch: { graph: branch('e') },
        }),
      ],
      inputs: [value('x', 1, ['N', 4]), value('c', 9, [])],
    });
    const { bytes, report } = await swapped(source, { to: 'hardswish' });
    expect(report.sites.map(({ scope }) => scope)).toHaveLength(2);
    expect(decode(bytes).graph?.node?.filter(({ opType }) => opType === 'Constant')).toHaveLength(3);
    for (const c of [0, 1]) {
      const given = { x: f32(POINTS, [7, 4]), c: { type: 'bool', dims: [], data: [c] } } as const;
      expectClose((await run(bytes, given)).y, formula('hardswish', 'f32'));
    }
    expect(Buffer.compare(await (await undo(bytes)).bytes(), source)).toBe(0);
  });

  /** A model that calls a function with an activation once for each type. */
  const calls = (types: readonly CheckedType[], opset: number, inside = opset) =>
    model({
      ...{ opset, ir: 10, domains: { l: 1 } },
      nodes: types.map((_, at) => node('Act', [`x${at}`], [`y${at}`], {}, { domain: 'l' })),
      inputs: types.map((type, at) => value(`x${at}`, FLOAT_TYPES[type], ['N'])),
      outputs: types.map((type, at) => value(`y${at}`, FLOAT_TYPES[type], ['N'])),
      functions: [
        {
          ...{ name: 'Act', domain: 'l', input: ['a'], output: ['b'], node: [node('Relu', ['a'], ['b'])] },
          opsetImport: [
            { domain: '', version: inside },
            { domain: 'l', version: 1 },
          ],
        },
      ],
    });

  test.each(REPLACEMENTS.filter((name) => name !== 'relu' && name !== 'mish'))(
    'a function that is called with two types gets %s for both',
    async (to) => {
      for (const types of [
        ['f32', 'f16'],
        ['f64', 'f32'],
      ] as const)
        for (const opset of [15, 20]) {
          const { bytes, report } = await swapped(calls(types, opset), { to });
          expect(report.sites).toHaveLength(1);
          if (to === 'gelu' && types[0] === 'f64') continue; // no kernel
          const dims = [POINTS.length];
          const given = types.map((type, at) => [`x${at}`, { type, dims, data: POINTS }] as const);
          const outputs = await run(bytes, Object.fromEntries(given));
          for (const [at, type] of types.entries()) expectClose(outputs[`y${at}`], formula(to, type), type);
        }
    },
  );

  test('a function of another opset gets operators that are the same in both, or is skipped', async () => {
    const reasons = async (to: ReplacementName, inside: number, opset: number) =>
      (await swap(calls(['f32'], opset, inside), { to })).report.skipped.map(({ reason }) => reason);
    expect(await reasons('gelu', 20, 22)).toEqual([]);
    expect(await reasons('elu', 18, 22)).toEqual(['opset-mismatch']);
    expect(await reasons('hardswish', 14, 20)).toEqual([]);
  });
});

describe('the operators', () => {
  test.each<[ReplacementName, number, string[]]>([
    ['relu', 7, ['Relu']],
    ['leakyrelu', 7, ['LeakyRelu']],
    ['swish', 7, ['Sigmoid', 'Mul']],
    ['gelu', 9, ['Div', 'Erf', 'Add', 'Mul', 'Mul']],
    ['gelu', 20, ['Gelu']],
    ['hardswish', 13, ['Add', 'Clip', 'Div', 'Mul']],
    ['hardswish', 14, ['HardSwish']],
    ['elu', 7, ['Elu']],
  ])('of %s at opset %i are %j', async (name, opset, wanted) => {
    expect(operators(await modelOf(name, opset, 'f32'))).toEqual(wanted);
  });

  test('of GELU need opset 9', async () => {
    await expect(swap(act('Relu', 8, 'f32'), { to: 'gelu' })).rejects.toMatchObject({
      code: 'unsupported-form',
      what: 'the erf form needs opset 9, and the model imports opset 8',
      fix: 'First raise it to opset 9',
      option: { opset: 9 },
    });
    const { output } = await swap(act('Relu', 8, 'f32'), { to: 'gelu', opset: 20 });
    expect(operators(await output.bytes())).toEqual(['Gelu']);
  });

  test('suit the target: WebGL has no HardSwish, and a note says what it does not run', async () => {
    const source = act('Relu', 17, 'f32');
    const { report, output } = await swap(source, { to: 'hardswish', target: 'webgl' });
    expect(operators(await output.bytes())).toEqual(['Add', 'Clip', 'Div', 'Mul']);
    expect(report.notes).toEqual([]);
    const again = await swap(source, { plan: planOf(report) });
    expect(operators(await again.output.bytes())).toEqual(['Add', 'Clip', 'Div', 'Mul']);
    const gelu = await swap(source, { to: 'gelu', target: 'webgl' });
    expect(gelu.report.notes).toEqual(['webgl: ONNX Runtime Web has no Erf on WebGL']);
  });

  test('have names that say where they came from', async () => {
    const source = model({ nodes: [node('Relu', ['x'], ['y'], {}, { name: 'act' })], opset: 13 });
    const { bytes } = await swapped(source, { to: 'hardswish' });
    const names = decode(bytes).graph?.node?.map(({ name }) => name);
    expect(names?.slice(-4)).toEqual([
      ...['act/hardswish/shifted', 'act/hardswish/clip', 'act/hardswish/gate', 'act/hardswish'],
    ]);
  });
});
