import { expect, test } from 'vitest';
import { scan } from '../../src/onnx/scan.js';
import { prepare } from '../../src/web/session/prepare.js';
import { reluModel } from '../support/graph.js';

test('a session’s model has the opset that is asked for', async () => {
  const document = await scan(reluModel({ opset: 17 }));
  for (const opset of [undefined, 18, 20]) {
    const prepared = await prepare(document, 'wasm', { form: 'auto', dims: {}, opset });
    if (!prepared.ready) throw new Error('it is ready');
    expect((await scan(prepared.model)).graph.opsets.get('')).toBe(opset ?? 17);
  }
});
