import fc from 'fast-check';
import { expect, test } from 'vitest';
import { asFloat32 } from '../../../src/onnx/model-passes/as-float32.js';
import { decodeModel } from '../../../src/onnx/model-passes/model-proto.js';
import { scan } from '../../../src/onnx/scan.js';
import { model, node, value } from '../../support/model.js';

/** Numbers of f64: any, and those that exporters write: the limits of the type, for masks and divisors. */
const doubles = fc.oneof(
  fc.double(),
  fc.constantFrom(Number.MAX_VALUE, -Number.MAX_VALUE, 2 ** -1022, Number.MIN_VALUE, 0, -0, 3.5e38, 1e-46),
);

test('a number of f64 becomes the nearest of f32, and 0 and infinity only where it is one of them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(doubles, { minLength: 1, maxLength: 8 }), async (numbers) => {
      const tensor = { name: 'c', dims: [numbers.length], dataType: 11, doubleData: numbers };
      const document = await scan(
        model({
          nodes: [node('Add', ['x', 'c'], ['y'])],
          inputs: [value('x', 11, [numbers.length])],
          outputs: [value('y', 11)],
          initializers: [tensor],
        }),
      );
      const proto = await decodeModel(document);
      await asFloat32(proto, new Set(['f64']), undefined);
      const raw = proto.graph?.initializer?.[0]?.rawData ?? new Uint8Array(0);
      const found = [...new Float32Array(raw.slice().buffer)];
      for (const [at, number] of numbers.entries()) {
        const rounded = Math.fround(number);
        const isHeld = number === 0 || !Number.isFinite(number);
        const one = found[at] ?? 0;
        if (isHeld) expect(one).toBe(number);
        else {
          expect(Number.isFinite(one) && one !== 0 && Math.sign(one) === Math.sign(number)).toBe(true);
          if (Math.abs(rounded) >= 2 ** -126 && Number.isFinite(rounded)) expect(one).toBe(rounded);
        }
      }
    }),
    { numRuns: 200 },
  );
});
