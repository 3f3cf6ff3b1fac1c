import { describe, expect, test } from 'vitest';
import { constantValue, FORM_FOR, FORMS, type FormName, stepsOf, TARGETS } from '../../src/mish/forms.js';
import { kernelModel } from '../../src/mish/kernel.js';
import { FLOAT_TYPES, type FloatType } from '../../src/onnx/types.js';
import { decode, nodesOf, ops, reluModel, swapped } from '../support/graph.js';
import { expectMish, held, POINTS } from '../support/mish.js';
import { value } from '../support/model.js';
import { f32, load, NEWEST_OPSET, OPTIMISERS, run } from '../support/run.js';

const NAMES = Object.keys(FORMS) as FormName[];
const STEPS = {
  softplus: ['Softplus', 'Tanh', 'Mul'],
  exp: ['Clip', 'Exp', 'Add', 'Mul', 'Add', 'Div', 'Mul'],
  native: ['Mish'],
  sigmoid: ['Mul', 'Add', 'Sigmoid', 'Mul'],
  tanh: ['Mul', 'Add', 'Tanh', 'Mul', 'Add', 'Add', 'Sigmoid', 'Mul'],
  hard: ['HardSigmoid', 'Mul'],
};
/** The forms that compute Mish itself; approximate-forms.test.ts has the others. */
const EXACT = NAMES.filter((name) => FORMS[name].bound === undefined);

describe('a recipe', () => {
  test.each(NAMES)('%s is made of the operators in the documentation', (name) => {
    expect(stepsOf(FORMS[name], false).map(({ op }) => op)).toEqual(STEPS[name]);
  });

  test.each(NAMES.flatMap((name) => [false, true].map((scaled) => ({ name, scaled }))))(
    '$name, scaled $scaled: operands come before their use, constants last, and y at the end',
    ({ name, scaled }) => {
      const form = FORMS[name];
      const made = new Set(['x']);
      const steps = stepsOf(form, scaled);
      for (const { inputs, output } of steps) {
        inputs.forEach((operand, slot) => {
          if (operand in form.constants) expect(slot).toBeGreaterThan(0);
          else expect(made).toContain(operand);
        });
        expect(made).not.toContain(output);
        made.add(output);
      }
      expect(steps.at(-1)?.output).toBe('y');
    },
  );

  test('of the exp form: no constant overflows its element type, and w does not either', () => {
    for (const type of Object.keys(FLOAT_TYPES) as FloatType[]) {
      const largest = { f16: 65504, f32: 3.4028234663852886e38, f64: Number.MAX_VALUE, bf16: 3.39e38 }[type];
      const constants = Object.values(FORMS.exp.constants).map((one) => constantValue(one, type, 1));
      for (const constant of constants) expect(Math.abs(constant)).toBeLessThanOrEqual(largest);
      const cap = constantValue(FORMS.exp.constants.cap ?? 0, type, 1);
      const w = Math.exp(cap) * (Math.exp(cap) + 2);
      expect(w).toBeLessThan(largest);
      // At the bound the factor has to round to 1, or the bound would show.
      const step = { f16: 2 ** -11, f32: 2 ** -24, f64: 2 ** -53, bf16: 2 ** -8 }[type];
      expect(2 / (w + 2)).toBeLessThanOrEqual(step);
    }
  });

  test('every target has a form that it can run', () => {
    for (const target of TARGETS) {
      const form = FORMS[FORM_FOR[target]];
      expect(form.limits.filter(({ on, type }) => type === undefined && on.includes(target))).toEqual([]);
    }
  });
});

/** The opsets that the operators' versions divide time into, and the newest that runs here. */
const OPSETS = [1, 6, 7, 8, 9, 11, 13, 14, 16, 18, 22, NEWEST_OPSET];
const CASES = OPSETS.flatMap((opset) =>
  EXACT.filter((form) => opset >= FORMS[form].opset).map((form) => ({ opset, form })),
);

describe('a Relu of each opset, swapped in each form that it can express', () => {
  const runnable = CASES.filter(({ opset }) => opset >= 7);
  test.each(runnable.flatMap((one) => OPTIMISERS.map((optimiser) => ({ ...one, optimiser }))))(
    'opset $opset, $form, optimiser $optimiser: runs and is Mish',
    async ({ opset, form, optimiser }) => {
      const source = reluModel({ opset, ir: opset < 9 ? 3 : 8, inputs: [value('x', 1, ['N'])] });
      const { bytes, report } = await swapped(source, { form });
      expect(report.sites).toHaveLength(1);
      const { y } = await run(bytes, { x: f32(POINTS) }, optimiser);
      expectMish(y, POINTS);
    },
  );

  const old = CASES.filter(({ opset }) => opset < 7);
  test.each(old)(
    'opset $opset, $form: right in structure; ONNX Runtime has no Mul, Add or Div before opset 7',
    async ({ opset, form }) => {
      const { bytes, report } = await swapped(reluModel({ opset, ir: 3 }), { form });
      const nodes = nodesOf(decode(bytes).graph).filter(({ opType }) => opType !== 'Constant');
      expect(nodes.map(({ opType }) => opType)).toEqual(STEPS[form]);
      const constants = new Set(
        nodesOf(decode(bytes).graph).flatMap(({ opType, output }) => (opType === 'Constant' ? output : [])),
      );
      for (const { opType, input, attribute } of nodes) {
        // Before opset 7 a scalar is broadcast only as the second operand, and only when asked to.
        const scalar = (input ?? []).some((name) => constants?.has(name));
        const broadcast = (attribute ?? []).find(({ name }) => name === 'broadcast');
        expect(Number(broadcast?.i ?? 0), opType ?? '').toBe(scalar ? 1 : 0);
        expect(constants?.has(input?.[0] ?? '')).toBe(false);
      }
      expect(report.notes[0]).toMatch(/before opset 7/);
      await expect(load(bytes)).rejects.toThrow(/Mul|Add|Could not find|opset/);
    },
  );

  test('the bounds of Clip are attributes up to opset 10 and inputs from 11 on', async () => {
    const clip = async (opset: number) => {
      const { bytes } = await swapped(reluModel({ opset }), { form: 'exp' });
      const found = nodesOf(decode(bytes).graph).find(({ opType }) => opType === 'Clip');
      return {
        inputs: found?.input?.length,
        attributes: found?.attribute?.map(({ name, f }) => `${name} ${f}`),
      };
    };
    const floor = -(2 - 2 ** -23) * 2 ** 127;
    expect(await clip(10)).toEqual({ inputs: 1, attributes: [`min ${floor}`, 'max 20'] });
    expect(await clip(11)).toEqual({ inputs: 3, attributes: [] });
  });

  test('native before opset 18 is refused with the opset it needs', async () => {
    await expect(swapped(reluModel({ opset: 17 }), { form: 'native' })).rejects.toMatchObject({
      code: 'unsupported-form',
      what: expect.stringContaining('needs opset 18, and the model imports opset 17'),
      fix: expect.stringContaining('the softplus form'),
      option: { form: 'softplus', opset: 18 },
    });
  });

  test.each([3, 4])('with IR version %i the model’s interface stays the same', async (ir) => {
    const source = reluModel({ opset: 8, ir });
    const { bytes } = await swapped(source, { form: 'exp', beta: 2 });
    const [before, after] = [decode(source).graph, decode(bytes).graph];
    expect(after?.input).toEqual(before?.input);
    expect(after?.output).toEqual(before?.output);
    expect(after?.initializer).toEqual([]);
    const session = await load(bytes);
    expect(session.inputNames).toEqual(['x']);
  });
});

describe('sharpness', () => {
  const betas = [0.5, 2, 8];
  const cases = EXACT.flatMap((form) =>
    betas.flatMap((beta) => OPTIMISERS.map((optimiser) => ({ form, beta, optimiser }))),
  );
  test.each(cases)('β = $beta, $form, optimiser $optimiser: is x · tanh(softplus(βx))', async (one) => {
    const source = reluModel({ inputs: [value('x', 1, ['N'])] });
    const { bytes } = await swapped(source, { form: one.form, beta: one.beta });
    const { y } = await run(bytes, { x: f32(POINTS) }, one.optimiser);
    expectMish(y, POINTS, one.beta);
  });

  test('the native form has a Mul on either side', async () => {
    const { bytes } = await swapped(reluModel(), { form: 'native', beta: 4 });
    expect(ops(bytes)).toEqual(['Constant', 'Constant', 'Mul', 'Mish', 'Mul']);
  });

  test('β = 1 costs nothing', async () => {
    for (const form of NAMES) {
      const { bytes } = await swapped(reluModel(), { form, beta: 1 });
      expect(ops(bytes).filter((op) => op !== 'Constant')).toEqual(STEPS[form]);
    }
  });

  test.each([Number.NaN, 0, -1, Number.POSITIVE_INFINITY])('β = %d is refused', async (beta) => {
    await expect(swapped(reluModel(), { beta })).rejects.toMatchObject({ code: 'bad-usage' });
  });
});

describe('the kernel by itself', () => {
  const types = ['f16', 'f32', 'f64'] as const;
  // ONNX Runtime has neither Softplus nor Mish for float64.
  const runs = (form: FormName, type: string) => type !== 'f64' || form === 'exp';
  const cases = EXACT.flatMap((form) =>
    types.filter((type) => runs(form, type)).flatMap((type) => [1, 2].map((beta) => ({ form, type, beta }))),
  );
  test.each(cases)('$form in $type, β = $beta, is Mish to its rounding', async ({ form, type, beta }) => {
    const bytes = kernelModel({ kind: 'mish', form, beta }, type, 18);
    const { y } = await run(bytes, { x: { type, dims: [POINTS.length], data: POINTS } });
    expectMish(y, POINTS, beta, type);
  });

  test('the exp form keeps its relative accuracy in the far tail', async () => {
    const x = [-17, -30, -60, -80];
    const { y } = await run(kernelModel({ kind: 'mish', form: 'exp', beta: 1 }, 'f32', 18), { x: f32(x) });
    x.forEach((at, index) => {
      const exact = at * Math.exp(at); // Mish but for a relative e^x, which is below float32's precision here
      expect(Math.abs((y?.[index] ?? Number.NaN) / exact - 1)).toBeLessThan(1e-6);
    });
  });

  test('relu and leakyrelu', async () => {
    const x = { x: f32(POINTS) };
    const relu = await run(kernelModel({ kind: 'relu' }, 'f32', 13), x);
    expect(relu.y).toEqual(POINTS.map((at) => Math.max(0, held(at, 'f32'))));
    const leaky = await run(kernelModel({ kind: 'leakyrelu', alpha: 0.25 }, 'f32', 13), x);
    expect(leaky.y).toEqual(POINTS.map((at) => held(at, 'f32') * (at < 0 ? 0.25 : 1)));
  });
});
