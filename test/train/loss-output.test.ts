import fc from 'fast-check';
import { expect, test } from 'vitest';
import { scan } from '../../src/onnx/scan.js';
import { floatType } from '../../src/onnx/types.js';
import { lossOutput } from '../../src/train/loss-output.js';
import { model, node, value } from '../support/model.js';

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
        else expect(() => lossOutput(document, `y${at}`)).toThrow('a loss needs floats');
      }
    }),
    { seed: 16, numRuns: 60 },
  );
});
