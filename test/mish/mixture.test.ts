import { describe, expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { FORMS, stepsOf } from '../../src/mish/forms.js';
import { undo } from '../../src/mish/history.js';
import { inspect } from '../../src/mish/inspect.js';
import { kernelModel } from '../../src/mish/kernel.js';
import { type Plan, parsePlan, planOf } from '../../src/mish/plan.js';
import { leakyRelu, mish, mixture } from '../../src/mish/reference.js';
import { retarget } from '../../src/mish/retarget.js';
import type { SwapOptions } from '../../src/mish/swap.js';
import { getProvider } from '../../src/node/provider-by-name.js';
import { roundTo } from '../../src/onnx/scalar.js';
import { sweep } from '../../src/validate/kernel-sweep.js';
import { decode, nodesOf, ops, swapped } from '../support/graph.js';
import { everyNth, isHeavy } from '../support/heavy.js';
import { expectClose, held, POINTS } from '../support/mish.js';
import { type ModelParts, model, node, value } from '../support/model.js';
import { constant } from '../support/patterns.js';
import { f32, load, NEWEST_OPSET, OPTIMISERS, run } from '../support/run.js';

/** The forms that compute the mixture itself; approximate-forms.test.ts has the others. */
const NAMES = ['softplus', 'exp', 'native'] as const;
const vector = (name: string, type = 1) => value(name, type, ['N']);

/** One LeakyRelu from x to y. */
function leaky(alpha: number, parts: Partial<ModelParts> = {}): Uint8Array {
  const type = parts.inputs?.[0]?.type?.tensorType?.elemType ?? 1;
  return model({
    inputs: [vector('x')],
    outputs: [vector('y', type)],
    nodes: [node('LeakyRelu', ['x'], ['y'], { alpha: { f: alpha } }, { name: 'act' })],
    ...parts,
  });
}

const mixed = (bytes: Uint8Array, options: SwapOptions = {}) =>
  swapped(bytes, { leaky: 'mixture', ...options });
const exact = (alpha: number, beta = 1, points = POINTS) =>
  points.map((x) => mixture(x, beta, Math.fround(alpha)));
const found = async (bytes: Uint8Array) =>
  (await inspect(bytes)).mish.map(({ form, beta, leak, output }) => [form, beta, leak, output]);

describe('the function', () => {
  test('is the sum of its parts, and is nearer to LeakyRelu the larger β is: by 0.309 (1 - α) / β', () => {
    for (const beta of [1, 4, 16]) {
      for (const x of POINTS) {
        expect(mixture(x, beta, 0.2)).toBeCloseTo(0.2 * x + 0.8 * mish(x, beta), 12);
        expect(Math.abs(mixture(x, beta, 0.2) - leakyRelu(x, 0.2))).toBeLessThan((0.8 * 0.309) / beta);
      }
    }
  });

  test('a slope of 0 is Mish, of 1 the line', () => {
    expect(POINTS.map((x) => mixture(x, 2, 0))).toEqual(POINTS.map((x) => mish(x, 2) + 0));
    expect(POINTS.map((x) => mixture(x, 2, 1))).toEqual(POINTS.map((x) => x + 0));
  });
});

describe('the recipes', () => {
  const costs = { softplus: 2, exp: 1, native: 3 };
  test.each(NAMES)('%s: operands come before their use, constants last, and y at the end', (name) => {
    const form = FORMS[name];
    for (const sharp of [false, true]) {
      const made = new Set(['x']);
      const steps = stepsOf(form, sharp, true);
      for (const { inputs, output } of steps) {
        inputs.forEach((operand, slot) => {
          if (operand in form.constants) expect(slot).toBeGreaterThan(0);
          else expect(made).toContain(operand);
        });
        made.add(output);
      }
      expect(steps.at(-1)?.output).toBe('y');
      // With β the native form has a Mul by (1 - α) / β where it has one by 1 / β.
      const more = sharp && name === 'native' ? 2 : costs[name];
      expect(steps.length - stepsOf(form, sharp).length).toBe(more);
    }
  });
});

describe('a LeakyRelu of each opset, in each form that it can express', () => {
  const opsets = [1, 6, 7, 8, 9, 11, 13, 14, 16, 18, 22, NEWEST_OPSET];
  const cases = opsets.flatMap((opset) =>
    NAMES.filter((form) => opset >= FORMS[form].opset).flatMap((form) =>
      [1, 3].map((beta) => ({ opset, form, beta })),
    ),
  );
  test.each(cases.filter(({ opset }) => opset >= 7))(
    'opset $opset, $form, β = $beta',
    async ({ opset, form, beta }) => {
      const { bytes, report } = await mixed(leaky(0.1, { opset, ir: opset < 9 ? 3 : 8 }), { form, beta });
      expect(report.sites).toMatchObject([{ kind: 'leakyrelu', alpha: Math.fround(0.1), beta }]);
      expect(report.sites[0]?.leak).toBe(Math.fround(0.1));
      for (const optimiser of OPTIMISERS) {
        expectClose((await run(bytes, { x: f32(POINTS) }, optimiser)).y, exact(0.1, beta));
      }
      expect(await found(bytes)).toEqual([[form, beta, Math.fround(0.1), 'y']]);
    },
  );

  test.each(cases.filter(({ opset }) => opset < 7))(
    'opset $opset, $form, β = $beta: a scalar is the second operand, with broadcast',
    async ({ opset, form, beta }) => {
      const { bytes } = await mixed(leaky(0.1, { opset, ir: 3 }), { form, beta });
      const nodes = nodesOf(decode(bytes).graph);
      const scalars = new Set(nodes.flatMap(({ opType, output }) => (opType === 'Constant' ? output : [])));
      for (const { opType, input, attribute } of nodes) {
        const scalar = (input ?? []).some((name) => scalars.has(name));
        const broadcast = (attribute ?? []).find(({ name }) => name === 'broadcast');
        expect(Number(broadcast?.i ?? 0), opType ?? '').toBe(scalar ? 1 : 0);
        expect(scalars.has(input?.[0] ?? '')).toBe(false);
      }
      expect(await found(bytes)).toEqual([[form, beta, Math.fround(0.1), 'y']]);
    },
  );
});

describe('the kernel by itself', () => {
  const types = ['f16', 'f32', 'f64'] as const;
  // ONNX Runtime has neither Softplus nor Mish for float64.
  const cases = NAMES.flatMap((form) =>
    types
      .filter((type) => type !== 'f64' || form === 'exp')
      .flatMap((type) => [1, 4].map((beta) => ({ form, type, beta }))),
  );
  test.each(cases)('$form in $type, β = $beta, to its rounding', async ({ form, type, beta }) => {
    for (const alpha of [0.01, 0.2, 0.5, -0.3, 1]) {
      const bytes = kernelModel({ kind: 'mixture', form, beta, alpha }, type, 18);
      const { y } = await run(bytes, { x: { type, dims: [POINTS.length], data: POINTS } });
      const want = POINTS.map((x) => mixture(held(x, type), beta, roundTo(alpha, type)));
      expectClose(y, want, type);
    }
  });

  test.each(cases)('$form in $type, β = $beta: the sweep of validation', async ({ form, type, beta }) => {
    const cpu = getProvider('cpu');
    for (const alpha of [0.01, 0.2]) {
      const result = await sweep(cpu, { kind: 'mixture', form, beta, alpha }, type, 18);
      expect(result).toMatchObject({
        kind: 'mixture',
        form,
        beta,
        alpha,
        problem: null,
        atInfinity: 'Infinity',
      });
      // Where βx overflows, Mish's own operator gives NaN, or infinity.
      if (form !== 'native' || beta === 1) expect(result.broken).toBe(0);
      expect(result.maxScaled).toBeLessThan({ f16: 4e-3, f32: 2e-6, f64: 1e-14 }[type]);
    }
  });

  test('keeps its relative accuracy in the far tail, where only the slope is left', async () => {
    const x = [-17, -30, -88, -1e4, -1e30];
    for (const form of NAMES) {
      const { y } = await run(kernelModel({ kind: 'mixture', form, beta: 1, alpha: 0.2 }, 'f32', 18), {
        x: f32(x),
      });
      x.forEach((at, index) => {
        const want = mixture(Math.fround(at), 1, Math.fround(0.2));
        expect(Math.abs((y?.[index] ?? Number.NaN) / want - 1)).toBeLessThan(3e-7);
      });
    }
  });
});

test('bfloat16: the slope and what is left of it add up, each as the type holds it', async () => {
  const io = { inputs: [vector('x', 16)], outputs: [vector('y', 16)] };
  for (const form of NAMES) {
    const { bytes } = await mixed(leaky(0.3, { ...io, opset: 22 }), { form });
    expect(await found(bytes)).toEqual([[form, 1, roundTo(Math.fround(0.3), 'bf16'), 'y']]);
  }
});

describe('which sites', () => {
  const both = model({
    inputs: [vector('x')],
    outputs: [vector('y')],
    nodes: [
      node('Relu', ['x'], ['r']),
      node('LeakyRelu', ['r'], ['l']),
      node('LeakyRelu', ['l'], ['y'], { alpha: { f: 0 } }),
    ],
  });

  test('LeakyRelu whose slope is not 0; the record says how many', async () => {
    const { bytes, report } = await mixed(both, { beta: 2 });
    expect(report.sites.map(({ leak }) => leak)).toEqual([undefined, Math.fround(0.01), undefined]);
    expect((await inspect(bytes)).history).toMatchObject([
      { operation: 'swap', sites: 3, beta: 2, mixtures: 1 },
    ]);
    const plain = await inspect((await swapped(both)).bytes);
    expect(plain.history[0]).not.toHaveProperty('mixtures');
    expect(await found((await swapped(both)).bytes)).toEqual([
      ['softplus', 1, undefined, 'r'],
      ['softplus', 1, undefined, 'l'],
      ['softplus', 1, undefined, 'y'],
    ]);
  });

  test('a slope that the caller of a function gives is no constant: skipped with the reason', async () => {
    const local: onnx.IFunctionProto = {
      name: 'Act',
      domain: 'local',
      input: ['a'],
      output: ['b'],
      attribute: ['slope'],
      node: [node('LeakyRelu', ['a'], ['b'], { alpha: { ref: 'slope', type: 'FLOAT' } })],
      opsetImport: [{ domain: '', version: 18 }],
    };
    const source = model({
      inputs: [vector('x')],
      outputs: [vector('y')],
      nodes: [node('Act', ['x'], ['y'], { slope: { f: 0.3 } }, { domain: 'local' })],
      functions: [local],
      domains: { local: 1 },
    });
    const { bytes, report } = await mixed(source);
    expect(bytes).toEqual(source);
    expect(report.skipped).toMatchObject([
      { output: 'b', reason: 'slope', why: expect.stringContaining('@slope') },
    ]);
    expect((await swapped(source)).report.sites).toHaveLength(1);
  });

  test('a slope that is too large, or that the element type rounds to 0, is skipped', async () => {
    expect((await mixed(leaky(1000))).report.skipped).toMatchObject([{ reason: 'slope' }]);
    const half = leaky(1e-9, { inputs: [vector('x', 10)] });
    expect((await mixed(half)).report.skipped).toMatchObject([
      { why: 'f16 cannot hold the slope 9.999999717180685e-10' },
    ]);
  });

  test('an unknown element type is skipped in every form: a mixture has constants', async () => {
    const source = model({
      domains: { other: 1 },
      nodes: [node('Mystery', ['x'], ['a'], {}, { domain: 'other' }), node('LeakyRelu', ['a'], ['b'])],
    });
    for (const form of NAMES) {
      const { report } = await mixed(source, { form });
      expect(report.skipped).toMatchObject([{ output: 'b', reason: 'unknown-type' }]);
      expect(report.skipped[0]?.why).not.toContain('use the softplus form');
      expect(report.skipped[0]?.option).toBeUndefined();
    }
  });

  test('a word that is neither is refused', async () => {
    const options = { leaky: 'relu' } as unknown as SwapOptions;
    await expect(swapped(both, options)).rejects.toMatchObject({ code: 'bad-usage' });
  });

  test('a plan has the slope for each site, and may change it', async () => {
    const { report } = await mixed(both, { form: 'exp' });
    const plan = parsePlan(JSON.parse(JSON.stringify(planOf(report))));
    expect((await swapped(both, { plan })).bytes).toEqual((await mixed(both, { form: 'exp' })).bytes);
    const edited: Plan = { ...plan, sites: plan.sites.map((site) => ({ ...site, leak: 0.5 })) };
    const { y } = await run((await swapped(both, { plan: edited })).bytes, { x: f32(POINTS) });
    const thrice = (x: number) => mixture(mixture(mixture(x, 1, 0.5), 1, 0.5), 1, 0.5);
    expectClose(y, POINTS.map(thrice));
    expect(() => parsePlan({ ...plan, sites: [{ scope: 'graph', output: 'l', leak: 9 }] })).toThrow(
      /leak has to be/,
    );
  });
});

test('undo gives the bytes back, and twice changes nothing', async () => {
  const source = leaky(0.1);
  for (const form of NAMES) {
    const { bytes } = await mixed(source, { form, beta: 2 });
    const again = await mixed(bytes, { form: 'exp', beta: 4 });
    expect(again.bytes).toEqual(bytes);
    expect(again.report.sites).toEqual([]);
    expect(await (await undo(bytes)).bytes()).toEqual(source);
  }
});

describe('retarget', () => {
  const pairs = NAMES.flatMap((from) => NAMES.filter((to) => to !== from).map((to) => ({ from, to })));
  const types = { f16: 10, f32: 1, bf16: 16, f64: 11 } as const;

  test.each(everyNth(3, pairs))(
    '$from → $to: the same function, and nothing of the old form is left',
    async ({ from, to }) => {
      for (const beta of [1, 4]) {
        const source = await mixed(leaky(0.2), { form: from, beta });
        const { output, report } = await retarget(source.bytes, { form: to });
        const bytes = await output.bytes();
        expect(report.sites).toMatchObject([{ kind: from, beta, leak: Math.fround(0.2) }]);
        expect(ops(bytes)).toEqual(ops((await mixed(leaky(0.2), { form: to, beta })).bytes));
        expectClose((await run(bytes, { x: f32(POINTS) })).y, exact(0.2, beta));
        expect((await inspect(bytes)).history).toMatchObject([
          { mixtures: 1 },
          { operation: 'retarget', mixtures: 1 },
        ]);
      }
    },
  );

  test.each(everyNth(3, pairs))(
    '$from → $to and back gives the same graph, in every type',
    async ({ from, to }) => {
      for (const [type, number] of Object.entries(types)) {
        for (const beta of isHeavy ? [1, 0.5, 3, 10] : [1, 3]) {
          for (const alpha of isHeavy ? [0.01, 0.1, 0.2, 0.3, -0.25] : [0.01, -0.25]) {
            const source = await mixed(leaky(alpha, { opset: 22, inputs: [vector('x', number)] }), {
              form: from,
              beta,
            });
            const there = await (await retarget(source.bytes, { form: to })).output.bytes();
            const back = await (await retarget(there, { form: from })).output.bytes();
            expect(decode(back).graph, `${type} ${beta} ${alpha}`).toEqual(decode(source.bytes).graph);
          }
        }
      }
    },
  );
});

describe('what looks like a mixture', () => {
  const gate = (slope: number, share: number) => [
    constant('a', slope),
    constant('c', share),
    node('Softplus', ['x'], ['p']),
    node('Tanh', ['p'], ['t']),
    node('Mul', ['t', 'c'], ['s']),
    node('Add', ['a', 's'], ['g']),
    node('Mul', ['g', 'x'], ['y']),
  ];
  const sum = (slope: number, share: number, x = 'x') => [
    constant('a', slope),
    constant('c', share),
    node('Mish', ['x'], ['m']),
    node('Mul', ['c', 'm'], ['s']),
    node('Mul', [x, 'a'], ['l']),
    node('Add', ['l', 's'], ['y']),
  ];
  const at = (nodes: onnx.INodeProto[]) => found(model({ nodes }));

  test('and is one, the operands in any order', async () => {
    expect(await at(gate(0.25, 0.75))).toEqual([['softplus', 1, 0.25, 'y']]);
    expect(await at(sum(0.25, 0.75))).toEqual([['native', 1, 0.25, 'y']]);
  });

  test('and has shares that do not add up to 1', async () => {
    expect(await at(gate(0.25, 0.7))).toEqual([]);
    expect(await at(sum(0.25, 0.7))).toEqual([['native', 1, undefined, 'm']]);
  });

  test('and has the slope of another value', async () => {
    expect(await at([node('Neg', ['x'], ['n']), ...sum(0.25, 0.75, 'n')])).toEqual([
      ['native', 1, undefined, 'm'],
    ]);
  });

  test('and has a slope beyond all measure', async () => {
    expect(await at(gate(100, -99))).toEqual([]);
  });

  test('and has a slope of 0: Mish', async () => {
    expect(await at(gate(0, 1))).toEqual([['softplus', 1, undefined, 'y']]);
  });

  test('and whose Mish others read too: both are found', async () => {
    const bytes = model({ nodes: sum(0.25, 0.75), outputs: [value('y', 1), value('m', 1)] });
    expect(await found(bytes)).toEqual([
      ['native', 1, undefined, 'm'],
      ['native', 1, 0.25, 'y'],
    ]);
    const { output } = await retarget(bytes, { form: 'exp' });
    const session = await load(await output.bytes());
    expect(session.outputNames).toEqual(['y', 'm']);
    expect(ops(await output.bytes())).not.toContain('Mish');
  });
});
