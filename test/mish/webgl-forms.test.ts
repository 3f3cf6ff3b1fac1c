import { describe, expect, test } from 'vitest';
import { FORM_FOR, FORMS, type FormName } from '../../src/mish/forms.js';
import { undo } from '../../src/mish/history.js';
import { inspect } from '../../src/mish/inspect.js';
import { retarget } from '../../src/mish/retarget.js';
import { swap } from '../../src/mish/swap.js';
import { inWebglForms } from '../../src/mish/webgl-forms.js';
import { scan } from '../../src/onnx/scan.js';
import { webglProblems } from '../../src/providers/webgl/check.js';
import { prepare } from '../../src/web/session/prepare.js';
import { ops } from '../support/graph.js';
import { POINTS } from '../support/mish.js';
import { floats, model, node, value } from '../support/model.js';
import { run } from '../support/run.js';

const APPROXIMATE = Object.values(FORMS).flatMap(({ name, bound }) => (bound ? [name] : []));

/** Returns a model with an activation between convolutions that copy an image of one channel. */
function convNet(opType = 'Relu', opset = 17): Uint8Array {
  const image = (name: string) => value(name, 1, [1, 1, 4, 7]);
  return model({
    opset,
    inputs: [image('x')],
    outputs: [image('y')],
    initializers: [floats('w', [1, 1, 1, 1], [1])],
    nodes: [
      node('Conv', ['x', 'w'], ['before']),
      node(opType, ['before'], ['after'], {}, { name: 'act' }),
      node('Conv', ['after', 'w'], ['y']),
    ],
  });
}

const x = { type: 'f32' as const, dims: [1, 1, 4, 7], data: POINTS };
const swapped = async (bytes: Uint8Array, options: Parameters<typeof swap>[1]) =>
  (await swap(bytes, options)).output.bytes();
const inWebgl = async (bytes: Uint8Array) => {
  const { document, ...facts } = await inWebglForms(await scan(bytes));
  return { bytes: await document.source.read(0, document.source.size), ...facts };
};

/** Compares the outputs of two models, to the rounding of float32. */
async function expectSame(one: Uint8Array, other: Uint8Array): Promise<void> {
  const [{ y: wanted = [] }, { y: got = [] }] = [await run(other, { x }), await run(one, { x })];
  expect(got).toHaveLength(POINTS.length);
  for (const [at, want] of wanted.entries())
    expect(Math.abs((got[at] ?? Number.NaN) - want)).toBeLessThan(3e-6 * Math.max(1, Math.abs(want)));
}

describe('an approximate form on WebGL', () => {
  const cases = APPROXIMATE.flatMap((form) =>
    [7, 11, 17].flatMap((opset) => [1, 2].map((beta) => ({ form, opset, beta }))),
  );
  test.each(cases)(
    '$form, opset $opset, β = $beta: is the same function in operators of WebGL',
    async (one) => {
      const { form, opset, beta } = one;
      const source = convNet('Relu', opset);
      const bytes = await swapped(source, { form, beta });
      const { bytes: made, retargeted, note } = await inWebgl(bytes);
      expect(webglProblems(await scan(made))).toEqual([]);
      expect(retargeted).toBeUndefined();
      expect(note ?? form).toContain(form);
      await expectSame(made, bytes);
      expect((await inspect(made)).mish).toMatchObject([{ form, beta }]);
      expect((await inWebgl(made)).bytes).toEqual(made);
    },
  );

  test('a mixture keeps its slope, and an exact form beside an approximate one becomes the form for WebGL', async () => {
    for (const form of APPROXIMATE) {
      const bytes = await swapped(convNet('LeakyRelu'), { form, leaky: 'mixture' });
      await expectSame((await inWebgl(bytes)).bytes, bytes);
    }
    const exact = await inWebgl(await swapped(convNet(), { form: 'softplus' }));
    expect(exact).toMatchObject({ retargeted: FORM_FOR.webgl, note: undefined });
    const none = convNet();
    expect((await inWebgl(none)).bytes).toEqual(none);
  });
});

describe('a retarget', () => {
  const retargeted = async (form: FormName, options: Parameters<typeof retarget>[1]) => {
    const bytes = await swapped(convNet(), { form });
    const { output, report } = await retarget(bytes, options);
    return { before: bytes, after: await output.bytes(), report };
  };

  test.each(APPROXIMATE)('to a provider keeps the %s form, and says so', async (form) => {
    for (const target of ['cpu', 'wasm', 'webgpu', 'cuda'] as const) {
      const { before, after, report } = await retargeted(form, { target });
      expect(after).toEqual(before);
      expect(report).toMatchObject({ sites: [], unchanged: 1, approximate: 1 });
      expect(report.notes.join()).toMatch(new RegExp(`1 Mish in the ${form} form stay approximate`));
    }
    const { before, after, report } = await retargeted(form, { target: 'webgl' });
    expect(webglProblems(await scan(after))).toEqual([]);
    expect(report).toMatchObject({ sites: [{ kind: form }], unchanged: 0, approximate: 1 });
    await expectSame(after, before);
    expect(await (await undo(after)).bytes()).toEqual(before);
  });

  test.each(APPROXIMATE)('to an exact form says by how much the %s form changes', async (form) => {
    const { after, report } = await retargeted(form, { form: 'exp' });
    expect(report).not.toHaveProperty('approximate');
    expect(report.notes.join()).toContain(`changes by at most ${FORMS[form].bound}`);
    expect((await inspect(after)).mish).toMatchObject([{ form: 'exp' }]);
  });
});

describe('a session of a page', () => {
  const prepared = async (bytes: Uint8Array, provider: 'webgl' | 'wasm', form: FormName | 'auto') => {
    const made = await prepare(await scan(bytes), provider, { form, dims: {} });
    if (!made.ready) throw new Error(made.refusal.reason);
    return made.model;
  };

  test.each(APPROXIMATE)('runs the %s form that is asked for, on every provider', async (form) => {
    const source = convNet();
    for (const provider of ['webgl', 'wasm'] as const) {
      const made = await prepared(source, provider, form);
      expect((await inspect(made)).mish).toMatchObject([{ form }]);
      await expectSame(made, await swapped(source, { form }));
    }
  });

  test('keeps the approximate Mish of a model', async () => {
    for (const form of APPROXIMATE) {
      const bytes = await swapped(convNet(), { form });
      for (const provider of ['webgl', 'wasm'] as const)
        await expectSame(await prepared(bytes, provider, 'auto'), bytes);
    }
    expect(ops(await prepared(await swapped(convNet(), { form: 'softplus' }), 'wasm', 'auto'))).toContain(
      'Div',
    );
  });
});
