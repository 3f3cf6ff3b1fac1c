import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { swap } from '../../src/mish/swap.js';
import { scan } from '../../src/onnx/scan.js';
import { checkSplice } from '../support/check-splice.js';
import { fileLike, summary } from '../support/document.js';
import { bytesOf, REAL_MODELS } from '../support/models.js';

describe.each(Object.entries(REAL_MODELS))('the real model %s', (_, path) => {
  const bytes = bytesOf(path);

  test.each(['softplus', 'exp'] as const)('in the %s form keeps every other byte', async (form) => {
    const { output, report } = await swap(bytes, { form });
    expect(report.sites.length).toBeGreaterThan(0);
    checkSplice(bytes, await output.bytes(), report.sites.length);
  });

  test('decodes to the same messages but for the nodes', async () => {
    const { output } = await swap(bytes, { form: 'exp' });
    const [before, after] = [onnx.ModelProto.decode(bytes), onnx.ModelProto.decode(await output.bytes())];
    for (const model of [before, after]) {
      model.metadataProps = model.metadataProps.filter(({ key }) => !key?.startsWith('onnx-mish'));
      if (model.graph) model.graph.node = [];
    }
    // Messages that are equal are written alike; comparing them value by value takes minutes.
    const [one, other] = [before, after].map((model) => onnx.ModelProto.encode(model).finish());
    expect(Buffer.compare(one ?? new Uint8Array(0), other ?? new Uint8Array(1))).toBe(0);
  });

  test('gives the same document as a file and as a buffer', async () => {
    expect(summary(await scan(fileLike(bytes)))).toEqual(summary(await scan(bytes)));
  });
});
