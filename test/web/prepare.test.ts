import { expect, test } from 'vitest';
import { scan } from '../../src/onnx/scan.js';
import { prepare } from '../../src/web/session/prepare.js';
import { ops, reluModel } from '../support/graph.js';

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
