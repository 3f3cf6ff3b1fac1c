import fc from 'fast-check';
import { expect, test } from 'vitest';
import { onnx } from '../../../proto/onnx.js';
import { dequantised, storedIntegersOf } from '../../../src/calibrate/int8/quantised-values.js';
import { isDequantizer } from '../../../src/mish/quantization.js';
import { indexGraphs } from '../../../src/onnx/graph-index.js';
import { modelFromBytes } from '../../../src/providers/loaded-model.js';
import { floats, halves, model, node, value } from '../../support/model.js';
import { run } from '../../support/run.js';

const { DataType } = onnx.TensorProto;
/** First opset in which scales may be float16. */
const HALF_SCALES = 19;
const TYPES = {
  f16: { tensor: halves, elemType: DataType.FLOAT16 },
  f32: { tensor: floats, elemType: DataType.FLOAT },
};

interface Stored {
  readonly type: keyof typeof TYPES;
  readonly scale: number;
  readonly zeroPoint: number;
  readonly elemType: number;
}

const stored = fc.record<Stored>({
  type: fc.constantFrom('f16', 'f32'),
  // Powers of two, with which numbers lie exactly between two integers, and others.
  scale: fc.oneof(
    fc.integer({ min: -8, max: 2 }).map((power) => 2 ** power),
    fc.double({ min: 0.01, max: 2 }),
  ),
  zeroPoint: fc.integer({ min: 0, max: 100 }),
  elemType: fc.constantFrom(DataType.UINT8, DataType.INT8),
});

/** Returns what a DequantizeLinear node of stored integers or floats gives in ONNX Runtime, and what `dequantised` says of it. */
async function bothOf(
  { type, scale, zeroPoint, elemType }: Stored,
  numbers: readonly number[],
  areFloats: boolean,
) {
  const { tensor, elemType: floatElem } = TYPES[type];
  const integers = (name: string, dims: number[], data: readonly number[]) => ({
    ...{ name, dims, dataType: elemType, int32Data: [...data] },
  });
  const dims = [numbers.length];
  const bytes = model({
    opset: HALF_SCALES,
    ir: 9,
    nodes: [
      ...(areFloats ? [node('QuantizeLinear', ['w', 's', 'z'], ['q'])] : []),
      node('DequantizeLinear', [areFloats ? 'q' : 'w', 's', 'z'], ['y']),
    ],
    initializers: [
      areFloats ? tensor('w', dims, numbers) : integers('w', dims, numbers),
      tensor('s', [], [scale]),
      integers('z', [], [zeroPoint]),
    ],
    inputs: [],
    outputs: [value('y', floatElem, dims)],
  });
  const { document } = await modelFromBytes(bytes);
  const reader = document.graph.nodes.find(isDequantizer);
  const found = reader && (await storedIntegersOf(document, indexGraphs(document), reader));
  if (found === undefined) throw new Error('nothing is stored');
  return { wanted: (await run(bytes, {})).y, got: [...dequantised(found)] };
}

test('stored integers stand for the numbers that ONNX Runtime computes of them', async () => {
  const integers = fc.array(fc.integer({ min: 0, max: 127 }), { minLength: 1, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(stored, integers, async (how, numbers) => {
      const { wanted, got } = await bothOf(how, numbers, false);
      expect(got).toEqual(wanted);
    }),
    { seed: 4, numRuns: 40 },
  );
});

test('stored floats are rounded to the integers that ONNX Runtime gives them, ties too', async () => {
  const halfSteps = fc.array(fc.integer({ min: -250, max: 250 }), { minLength: 1, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(stored, halfSteps, async (how, steps) => {
      const { wanted, got } = await bothOf(
        how,
        steps.map((step) => (step / 2) * how.scale),
        true,
      );
      expect(got).toEqual(wanted);
    }),
    { seed: 5, numRuns: 40 },
  );
});
