import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { approximations } from '../../src/mish/approximations.js';
import { boundOf, describeBound } from '../../src/mish/bound.js';
import { FORMS } from '../../src/mish/forms.js';
import { undo } from '../../src/mish/history.js';
import { inspect } from '../../src/mish/inspect.js';
import { planOf } from '../../src/mish/plan.js';
import { mish, mixture } from '../../src/mish/reference.js';
import { retarget } from '../../src/mish/retarget.js';
import { swap } from '../../src/mish/swap.js';
import { getProvider } from '../../src/node/provider-by-name.js';
import { extractEdits } from '../../src/onnx/extract.js';
import { scan } from '../../src/onnx/scan.js';
import { splice } from '../../src/onnx/splice.js';
import { sweep } from '../../src/validate/kernel-sweep.js';
import { judge } from '../../src/validate/thresholds.js';
import { decode, nodesOf, reluModel, swapped } from '../support/graph.js';
import { held, POINTS } from '../support/mish.js';
import { floats, model, node, value } from '../support/model.js';
import { OPTIMISERS, run } from '../support/run.js';

const NAMES = ['sigmoid', 'tanh', 'hard'] as const;
const CHANNELS = 3;

/** Returns a model with a convolution before and after an activation of [1, 3, 4, 7]; the first copies its input. */
function convNet(opType = 'Relu', opset = 17): Uint8Array {
  const image = (name: string) => value(name, 1, [1, CHANNELS, 4, 7]);
  const copy = Array.from({ length: CHANNELS ** 2 }, (_, at) => (at % (CHANNELS + 1) === 0 ? 1 : 0));
  const weights = floats('w', [CHANNELS, CHANNELS, 1, 1], copy);
  return model({
    opset,
    inputs: [image('x')],
    outputs: [image('y')],
    initializers: [weights],
    nodes: [
      node('Conv', ['x', 'w'], ['before']),
      node(opType, ['before'], ['after'], {}, { name: 'act' }),
      node('Conv', ['after', 'w'], ['y']),
    ],
  });
}

const dims = [1, CHANNELS, 4, 7];
const image = () => {
  const data = Array.from({ length: 84 }, (_, at) =>
    at < POINTS.length ? (POINTS[at] ?? 0) : (at - 56) / 7,
  );
  return { type: 'f32' as const, dims, data };
};
const operators = (bytes: Uint8Array) => nodesOf(decode(bytes).graph).map(({ opType }) => opType ?? '');

describe('the bound of an approximate form', () => {
  test.each(approximations())(
    '$form: no number differs more from Mish or lies deeper, and one nearly does',
    (one) => {
      const { bound = 0, depth } = FORMS[one.form];
      let [largest, least] = [0, 0];
      for (let step = -60_000; step <= 60_000; step++) {
        const y = one.f(step / 1000);
        largest = Math.max(largest, Math.abs(y - mish(step / 1000)));
        least = Math.min(least, y);
      }
      expect(depth).toBeGreaterThan(-least);
      expect(depth).toBeLessThan(-least + 5e-4);
      for (const x of [-1e30, -1e3, 1e3, 1e30]) {
        const difference = Math.abs(one.f(x) - mish(x)) / Math.max(1, Math.abs(x));
        expect(difference).toBeLessThan(1e-6);
      }
      expect(largest).toBeLessThan(bound);
      expect(largest).toBeGreaterThan(0.98 * bound);
    },
  );

  test('every form is exact or lists a bound', () => {
    expect(approximations().map(({ form }) => form)).toEqual(NAMES);
  });
});

describe('a swap in an approximate form', () => {
  const cases = NAMES.flatMap((form) =>
    [1, 0.5, 3].flatMap((beta) => OPTIMISERS.map((optimiser) => ({ form, beta, optimiser }))),
  );
  test.each(cases)('$form, β = $beta, optimiser $optimiser: stays within the bound', async (one) => {
    const { form, beta, optimiser } = one;
    const bytes = await (await swap(convNet(), { form, beta })).output.bytes();
    const input = image();
    const { y } = await run(bytes, { x: input }, optimiser);
    const bound = boundOf(FORMS[form], { beta }) ?? 0;
    for (const [at, x] of input.data.entries()) {
      const exact = mish(held(x, 'f32'), beta);
      expect(Math.abs((y?.[at] ?? Number.NaN) - exact)).toBeLessThan(
        bound + 3e-6 * Math.max(1, Math.abs(exact)),
      );
    }
  });

  test.each(NAMES)('%s: the report, the metadata, the plan and inspect have the bound', async (form) => {
    const { output, report } = await swap(convNet(), { form, beta: 2 });
    const bound = (FORMS[form].bound ?? 0) / 2;
    expect(report).toMatchObject({ form, bound });
    expect(report.notes.join()).toMatch(new RegExp(`${form} form approximates Mish: .* at most ${bound}`));
    expect(planOf(report)).toMatchObject({ form, bound });
    const { mish, history } = await inspect(await output.bytes());
    expect(mish).toMatchObject([{ form, beta: 2, bound, difference: bound }]);
    expect(history).toMatchObject([{ form, bound }]);
  });

  const models = [
    ['f16', 7],
    ['f16', 17],
    ['f16', 23],
    ['f32', 22],
    ['f32', 24],
  ] as const;
  test.each(NAMES.flatMap((form) => models.map(([type, opset]) => ({ form, type, opset }))))(
    '$form in $type at opset $opset: stays within the bound, is recognised with its sharpness, and is undone',
    async ({ form, type, opset }) => {
      const isHalf = type === 'f16'; // float32 is written on channels
      const input = isHalf ? { type, dims: [POINTS.length], data: POINTS } : image();
      const source = isHalf
        ? reluModel({ opset, inputs: [value('x', 10, input.dims)] })
        : convNet('Relu', opset);
      for (const beta of [1, 2, 1.37]) {
        const bytes = await (await swap(source, { form, beta })).output.bytes();
        const [found] = (await inspect(bytes)).mish;
        expect(found).toMatchObject({ form, beta: expect.closeTo(beta, 6) });
        expect(await (await undo(bytes)).bytes()).toEqual(source);
        const { y } = await run(bytes, { x: input });
        const rounding = isHalf ? 4e-3 : 3e-6;
        const bound = boundOf(FORMS[form], { beta }) ?? 0;
        for (const [at, x] of input.data.entries()) {
          const exact = mish(held(x, type), beta);
          const difference = Math.abs((y?.[at] ?? Number.NaN) - exact);
          expect(difference).toBeLessThan(bound + rounding * Math.max(1, Math.abs(exact)));
        }
      }
    },
  );

  test.each(NAMES)(
    '%s: an extracted part of the model has the site as the whole model has it',
    async (form) => {
      const document = await scan(await (await swap(convNet(), { form })).output.bytes());
      const part = await splice(document.source, extractEdits(document, ['after'])).bytes();
      expect(operators(part).filter((op) => op === 'Conv')).toHaveLength(1);
      expect((await inspect(part)).mish).toMatchObject([{ form, beta: 1, bound: FORMS[form].bound }]);
      const exact = await (await swap(convNet(), { form: 'exp' })).output.bytes();
      const whole = await run(exact, { x: image() });
      const { after } = await run(part, { x: image() });
      for (const [at, y] of (whole.y ?? []).entries())
        expect(Math.abs((after?.[at] ?? Number.NaN) - y)).toBeLessThan(FORMS[form].bound ?? 0);
    },
  );

  test('exact forms have no bound', async () => {
    const { output, report } = await swap(convNet(), { form: 'exp' });
    expect(report.bound).toBeUndefined();
    expect((await inspect(await output.bytes())).mish[0]).not.toHaveProperty('bound');
  });

  test.each(NAMES)('%s is undone to the byte, and retargeted to an exact form and back', async (form) => {
    const source = convNet();
    const bytes = await (await swap(source, { form, beta: 2 })).output.bytes();
    expect(await (await undo(bytes)).bytes()).toEqual(source);
    const exact = await retarget(bytes, { form: 'exp' });
    expect(exact.report).toMatchObject({ form: 'exp', sites: [{ kind: form, beta: 2 }] });
    const exactBytes = await exact.output.bytes();
    expect(operators(exactBytes).filter((op) => /ConstantOfShape|BatchNorm|Sigmoid/.test(op))).toEqual([]);
    const back = await retarget(exactBytes, { form });
    expect(back.report.bound).toBe((FORMS[form].bound ?? 0) / 2);
    expect(operators(await back.output.bytes())).toEqual(operators(bytes));
    const again = await retarget(bytes, { form });
    expect(again.report).toMatchObject({ sites: [], unchanged: 1 });
  });

  test.each(NAMES)('%s: a mixture is recognised with its slope', async (form) => {
    const source = convNet('LeakyRelu');
    const bytes = await (await swap(source, { form, leaky: 'mixture' })).output.bytes();
    const [found] = (await inspect(bytes)).mish;
    expect(found).toMatchObject({ form, beta: 1, bound: expect.closeTo(0.99 * (FORMS[form].bound ?? 0), 6) });
    expect(found?.leak).toBeCloseTo(0.01, 6);
    const input = image();
    const { y } = await run(bytes, { x: input });
    for (const [at, x] of input.data.entries()) {
      const exact = mixture(x, 1, 0.01);
      const limit = (FORMS[form].bound ?? 0) + 3e-6 * Math.max(1, Math.abs(exact));
      expect(Math.abs((y?.[at] ?? Number.NaN) - exact)).toBeLessThan(limit);
    }
  });
});

describe('the operators on channels', () => {
  test('BatchNormalization replaces Mul and Add where the channels are known', async () => {
    const known = operators(await (await swap(convNet(), { form: 'sigmoid' })).output.bytes());
    expect(known.filter((op) => !/Constant/.test(op))).toEqual([
      'Conv',
      'BatchNormalization',
      'Sigmoid',
      'Mul',
      'Conv',
    ]);
    const scalar = ['Constant', 'Constant', 'Mul', 'Add', 'Sigmoid', 'Mul'];
    expect(operators((await swapped(reluModel(), { form: 'sigmoid' })).bytes)).toEqual(scalar);
    const asked = await swap(convNet(), { form: 'sigmoid', blocked: false });
    expect(operators(await asked.output.bytes())).not.toContain('BatchNormalization');
    const old = operators(await (await swap(convNet('Relu', 8), { form: 'sigmoid' })).output.bytes());
    expect(old).not.toContain('BatchNormalization');
  });

  test('retarget puts scalar steps on channels', async () => {
    const bytes = await (await swap(convNet(), { form: 'tanh', blocked: false })).output.bytes();
    const { report, output } = await retarget(bytes, { form: 'tanh' });
    expect(report.sites).toHaveLength(1);
    expect(operators(await output.bytes()).filter((op) => op === 'BatchNormalization')).toHaveLength(2);
  });

  test('channels are counted through Concat, Add and pools', async () => {
    const weights = (name: string, out: number, into: number) =>
      floats(
        name,
        [out, into, 1, 1],
        Array.from({ length: out * into }, (_, at) => ((at % 5) - 2) / 3),
      );
    const bytes = model({
      opset: 17,
      inputs: [value('x', 1, ['N', 2, 'H', 'W'])],
      outputs: [value('y', 1, ['N', 5, 'H', 'W'])],
      initializers: [weights('a', 3, 2), weights('b', 2, 2), floats('k', [5, 1, 1], [1, 2, 3, 4, 5])],
      nodes: [
        node('Conv', ['x', 'a'], ['p']),
        node('Conv', ['x', 'b'], ['q']),
        node('Concat', ['p', 'q'], ['c'], { axis: 1 }),
        node('Add', ['c', 'k'], ['d']),
        node('MaxPool', ['d'], ['e'], { kernel_shape: [1, 1] }),
        node('Relu', ['e'], ['y'], {}, { name: 'act' }),
      ],
    });
    const { output } = await swap(bytes, { form: 'sigmoid' });
    const made = await output.bytes();
    expect(operators(made)).toContain('BatchNormalization');
    const x = { type: 'f32' as const, dims: [1, 2, 1, 2], data: [1, -2, 0.5, 3] };
    const exact = await run(await (await swap(bytes, { form: 'exp' })).output.bytes(), { x });
    const { y } = await run(made, { x });
    expect(y).toHaveLength(10);
    y?.forEach((one, at) => {
      expect(Math.abs(one - (exact.y?.[at] ?? Number.NaN))).toBeLessThan(0.0312);
    });
  });

  test.each([0, 1, 2, 3, 4, 5, 6])(
    'a constant of rank %i before a site changes nothing but its rank',
    async (rank) => {
      const dims = Array.from({ length: rank }, (_, axis) => (axis === rank - 3 ? 3 : 1));
      const bytes = model({
        opset: 17,
        inputs: [value('x', 1, ['N', 2, 'H', 'W'])],
        outputs: [value('y', 1)],
        initializers: [
          floats('w', [3, 2, 1, 1], [1, -2, 3, 0.5, -1, 2]),
          floats('k', dims, rank < 3 ? [0.5] : [0.5, -1, 2]),
        ],
        nodes: [node('Conv', ['x', 'w'], ['c']), node('Add', ['c', 'k'], ['d']), node('Relu', ['d'], ['y'])],
      });
      const x = { type: 'f32' as const, dims: [1, 2, 1, 2], data: [1, -2, 0.5, 3] };
      const made = await (await swap(bytes, { form: 'sigmoid' })).output.bytes();
      expect(operators(made).includes('BatchNormalization')).toBe(rank <= 4);
      const exact = await run(await (await swap(bytes, { form: 'exp' })).output.bytes(), { x });
      const { y } = await run(made, { x });
      expect(y).toHaveLength(6);
      for (const [at, one] of (y ?? []).entries())
        expect(Math.abs(one - (exact.y?.[at] ?? Number.NaN))).toBeLessThan(0.0312);
    },
  );

  test('a BatchNormalization with another scale is another sharpness, with another shift another function', async () => {
    const bytes = await (await swap(convNet(), { form: 'sigmoid' })).output.bytes();
    const withEdited = async (edit: (node: onnx.INodeProto) => void) => {
      const changed = decode(bytes);
      for (const one of nodesOf(changed.graph)) edit(one);
      return (await inspect(onnx.ModelProto.encode(changed).finish())).mish;
    };
    // 1 / sqrt(variance + epsilon) with a variance of 1
    const slower = await withEdited(({ opType, attribute }) => {
      if (opType === 'BatchNormalization') for (const one of attribute ?? []) one.f = 3;
    });
    expect(slower).toMatchObject([{ form: 'sigmoid', beta: 0.5, bound: 0.0624 }]);
    const shifted = await withEdited(({ opType, name, attribute }) => {
      const [given] = attribute ?? [];
      if (opType === 'ConstantOfShape' && /b3$/.test(name ?? '') && given?.t)
        given.t.rawData = new Uint8Array(Float32Array.of(0.7).buffer);
    });
    expect(shifted).toEqual([]);
  });
});

describe('the kernel check', () => {
  test.each(NAMES)('%s: passes by its bound, which the sweep lists', async (form) => {
    const kernel = await sweep(getProvider('cpu'), { kind: 'mish', form, beta: 1 }, 'f32', 18);
    const { bound = 0 } = FORMS[form];
    expect(kernel.problem).toBeNull();
    expect(kernel.bound).toBe(bound);
    expect(kernel.maxAbs).toBeGreaterThan(0.97 * bound);
    expect(kernel.maxScaled).toBeLessThan(bound);
  });

  test('each form is judged by its own bound, and an exact form by rounding alone', async () => {
    const cpu = getProvider('cpu');
    const kernel = [
      await sweep(cpu, { kind: 'mish', form: 'sigmoid', beta: 2 }, 'f32', 18),
      await sweep(cpu, { kind: 'mish', form: 'exp', beta: 1 }, 'f32', 18),
    ];
    const row = { kernel, parity: null, drift: [], accuracy: null, latency: null };
    const kernelVerdicts = (found: typeof kernel) =>
      judge('cpu', { ...row, kernel: found }, {})
        .filter(({ threshold }) => threshold === 'maxKernelError')
        .map(({ limit, passed }) => [limit, passed]);
    expect(kernelVerdicts(kernel)).toEqual([
      [expect.closeTo(0.0156 + 1e-5, 9), true],
      [1e-5, true],
    ]);
    const [sigmoid] = kernel.map((one) => ({ ...one, maxScaled: 0.0157 }));
    expect(kernelVerdicts(sigmoid === undefined ? [] : [sigmoid])).toEqual([[expect.any(Number), false]]);
  });
});

test('the bound of very many sites is that of the loosest', () => {
  const sites = Array.from({ length: 200_000 }, (_, at) => ({ beta: 1 + (at % 7) }));
  expect(describeBound(FORMS.tanh, sites).bound).toEqual({ bound: FORMS.tanh.bound });
});
