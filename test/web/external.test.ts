import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { scan } from '../../src/onnx/scan.js';
import { webglProblems } from '../../src/providers/webgl/check.js';
import { openable } from '../../src/web/session/external.js';
import { prepare } from '../../src/web/session/prepare.js';
import { modelPath } from '../support/workbench-page.js';

const bytes = (name: string) => new Uint8Array(readFileSync(modelPath(name)));

test('a model with external data is opened whole on WebGL, and with its file on WASM', async () => {
  const document = await scan(bytes('vgg-leaky.onnx'));
  const files = [{ path: 'vgg-leaky.onnx.data', data: bytes('vgg-leaky.onnx.data') }];
  for (const provider of ['webgl', 'wasm'] as const) {
    const prepared = await prepare(document, provider, { form: 'auto', dims: {} });
    if (!prepared.ready) throw new Error(prepared.refusal.reason);
    expect(prepared.externalData).toEqual(['vgg-leaky.onnx.data']);
    const { whole, external } = await openable(prepared.model, files, provider);
    const opened = await scan(whole);
    if (provider === 'wasm') expect([whole, external]).toEqual([prepared.model, files]);
    else {
      expect([external, opened.external, webglProblems(opened)]).toEqual([[], [], []]);
      expect(whole.length).toBeGreaterThan(prepared.model.length + 1_000_000);
    }
  }
});
