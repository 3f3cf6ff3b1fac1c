import { expect, test } from 'vitest';
import { FORMS } from '../../src/mish/forms.js';
import { inspect } from '../../src/mish/inspect.js';
import { scan } from '../../src/onnx/scan.js';
import { WEB_PROVIDERS } from '../../src/providers/web-providers.js';
import { prepare } from '../../src/web/session/prepare.js';
import { ops, reluModel } from '../support/graph.js';
import { value } from '../support/model.js';
import { bytesOf } from '../support/models.js';
import { modelPath } from '../support/workbench-page.js';

test('a session’s model has the activation that is asked for, in the operators of its provider', async () => {
  const document = await scan(reluModel({ opset: 17 }));
  const operators = async (provider: 'wasm' | 'webgl') => {
    const prepared = await prepare(document, provider, { form: 'auto', dims: {}, to: 'hardswish' });
    if (!prepared.ready) throw new Error('it is ready');
    expect(prepared.report.to).toBe('hardswish');
    return ops(prepared.model).filter((op) => op !== 'Constant');
  };
  expect(await operators('wasm')).toEqual(['HardSwish']);
  expect(await operators('webgl')).toEqual(['Add', 'Clip', 'Div', 'Mul']);
});

test('a session’s model has the opset that is asked for', async () => {
  const document = await scan(reluModel({ opset: 17 }));
  for (const opset of [undefined, 18, 20]) {
    const prepared = await prepare(document, 'wasm', { form: 'auto', dims: {}, opset });
    if (!prepared.ready) throw new Error('it is ready');
    expect((await scan(prepared.model)).graph.opsets.get('')).toBe(opset ?? 17);
  }
});

test.each(['sigmoid', 'tanh', 'hard'] as const)(
  'a session’s model in the %s form is that function on every provider, and its report has the bound',
  async (form) => {
    const document = await scan(bytesOf(modelPath('lenet5.onnx')));
    const { bound } = FORMS[form];
    for (const provider of WEB_PROVIDERS) {
      const prepared = await prepare(document, provider, { form, dims: { batch: 1 } });
      if (!prepared.ready) throw new Error(prepared.refusal.reason);
      expect(prepared.report).toMatchObject({ form, bound });
      const { mish } = await inspect(prepared.model);
      expect(mish.map((site) => [site.form, site.beta, site.bound])).toEqual(Array(4).fill([form, 1, bound]));
      expect(ops(prepared.model).includes('HardSigmoid')).toBe(form === 'hard' && provider !== 'webgl');
    }
  },
);

test.each(['constructor', '__proto__', 'toString'])(
  'a dimension called %s has no size that nobody gave',
  async (dim) => {
    const bytes = reluModel({ inputs: [value('x', 1, [dim, 4])] });
    for (const dims of [{}, Object.fromEntries([[dim, 3]])]) {
      const prepared = await prepare(await scan(bytes), 'webgl', { form: 'auto', dims });
      if (!prepared.ready) throw new Error(prepared.refusal.reason);
      const { graph } = await scan(prepared.model);
      expect(graph.inputs.map((input) => input.dims)).toEqual([[Object.hasOwn(dims, dim) ? 3 : 0, 4]]);
    }
  },
);
