import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { scan } from '../../src/onnx/scan.js';
import { floatType } from '../../src/onnx/types.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { createTrainer } from '../../src/train/index.js';
import { lossOutput } from '../../src/train/loss-output.js';
import { failure } from '../support/graph.js';
import { floats, model, node, value } from '../support/model.js';

test('the loss is computed from the first output of floats, unless one is named', () => {
  const types = fc.array(fc.integer({ min: 1, max: 16 }), { minLength: 1, maxLength: 4 });
  return fc.assert(
    fc.asyncProperty(types, async (elemTypes) => {
      const outputs = elemTypes.map((elemType, at) => value(`y${at}`, elemType, ['N', 2]));
      const nodes = outputs.map(({ name }) => node('Cast', ['x'], [name ?? '']));
      const document = await scan(model({ nodes, inputs: [value('x', 1, ['N', 2])], outputs }));
      const isFloat = (elemType: number) => floatType(elemType) !== undefined;
      const first = elemTypes.findIndex(isFloat);
      if (first >= 0) expect(lossOutput(document, undefined)).toBe(`y${first}`);
      else expect(() => lossOutput(document, undefined)).toThrow("the output 'y0' has type");
      for (const [at, elemType] of elemTypes.entries()) {
        if (isFloat(elemType)) expect(lossOutput(document, `y${at}`)).toBe(`y${at}`);
        else {
          const error = await failure((async () => lossOutput(document, `y${at}`))());
          // Only where another output has scores, one can be named.
          const other = { fix: 'Name an output of scores', option: { head: null } };
          const none = { fix: expect.stringContaining('without an ArgMax'), option: undefined };
          expect(error).toMatchObject({
            what: expect.stringContaining('a loss needs floats'),
            ...(first >= 0 ? other : none),
          });
        }
      }
    }),
    { seed: 16, numRuns: 60 },
  );
});

test('an output that is a sequence, a map or an optional gives no loss', async () => {
  const tensor: onnx.ITypeProto = { tensorType: { elemType: 1 } };
  const containers: onnx.ITypeProto[] = [
    { sequenceType: { elemType: tensor } },
    { optionalType: { elemType: tensor } },
    { sequenceType: { elemType: { mapType: { keyType: 7, valueType: tensor } } } },
  ];
  for (const type of containers) {
    const of = async (others: onnx.IValueInfoProto[]) => {
      const outputs = [{ name: 'c', type }, ...others];
      return scan(model({ nodes: outputs.map(({ name }) => node('Any', ['x'], [name ?? ''])), outputs }));
    };
    const alone = await of([value('label', 7, ['N'])]);
    expect(() => lossOutput(alone, undefined)).toThrow("the output 'c' is a sequence, a map or an optional");
    expect(lossOutput(await of([value('y', 1, ['N', 2])]), undefined)).toBe('y');
  }
});

test.each([undefined, 'features', 'y'])(
  'a remark tells which of several outputs was chosen: %s',
  async (output) => {
    const bytes = model({
      nodes: [node('MatMul', ['x', 'w'], ['features']), node('MatMul', ['features', 'v'], ['y'])],
      initializers: [floats('w', [2, 3], [1, 2, 3, 4, 5, 6]), floats('v', [3, 2], [1, 2, 3, 4, 5, 6])],
      inputs: [value('x', 1, ['N', 2])],
      outputs: [value('features', 1, ['N', 3]), value('y', 1, ['N', 2])],
    });
    const x = { elemType: 'f32', dims: [4, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) };
    const options = { inputs: { x }, targets: [0, 1, 0, 1], provider: nodeProvider('cpu') };
    const trainer = await createTrainer(bytes, { ...options, ...(output && { output }) });
    await trainer.close();
    const remark = trainer.remarks.find(({ code }) => code === 'first-output')?.text;
    if (output === undefined) expect(remark).toMatch(/the output 'features', the first of floats; .* 'y'$/);
    else expect(remark).toBeUndefined();
  },
);
