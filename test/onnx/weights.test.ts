import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import type { OnnxDocument } from '../../src/onnx/document.js';
import { indexGraphs } from '../../src/onnx/graph-index.js';
import { roundTo } from '../../src/onnx/scalar.js';
import { scan } from '../../src/onnx/scan.js';
import { toSource } from '../../src/onnx/source.js';
import { splice } from '../../src/onnx/splice.js';
import { FLOAT_TYPES, type FloatType } from '../../src/onnx/types.js';
import { floatBytes, readWeight, weightEdit, weightOf } from '../../src/onnx/weights.js';
import { model, node, value } from '../support/model.js';

const VALUES = [1, -2.5, 0.1, 3e-5];

/** Each way in which a tensor can hold its elements. */
const LAYOUTS: Record<string, (type: FloatType) => onnx.ITensorProto | undefined> = {
  raw: (type) => ({ rawData: floatBytes(VALUES, type) }),
  typed: (type) => {
    if (type === 'f32') return { floatData: VALUES };
    if (type === 'f64') return { doubleData: VALUES };
    const bits = new Uint16Array(floatBytes(VALUES, type).buffer);
    return { int32Data: [...bits] };
  },
};

function withWeight(type: FloatType, data: onnx.ITensorProto, constant: boolean): Uint8Array {
  const tensor = { name: 'w', dataType: FLOAT_TYPES[type], dims: [2, 2], docString: 'kept', ...data };
  const use = node('MatMul', ['x', 'w'], ['y']);
  return model({
    nodes: constant ? [node('Constant', [], ['w'], { value: { tensor } }), use] : [use],
    initializers: constant ? [] : [tensor],
    inputs: [value('x', FLOAT_TYPES[type], ['N', 2])],
  });
}

async function weightIn(document: OnnxDocument) {
  const weight = weightOf(indexGraphs(document), document.graph, 'w');
  if (weight === undefined) throw new Error('no weight');
  return weight;
}

describe.each(['f16', 'bf16', 'f32', 'f64'] as const)('%s', (type) => {
  test.each(Object.entries(LAYOUTS))('%s data is read and written in its own type', async (_, layout) => {
    for (const constant of [true, false]) {
      const document = await scan(withWeight(type, layout(type) ?? {}, constant));
      const read = await readWeight(document, await weightIn(document));
      expect([...read]).toEqual(VALUES.map((value) => roundTo(value, type)));
      const doubled = read.map((value) => 2 * value);
      const edit = await weightEdit(document, await weightIn(document), doubled);
      const bytes = await splice(document.source, [edit]).bytes();
      const again = await scan(bytes);
      expect([...(await readWeight(again, await weightIn(again)))]).toEqual([...doubled]);
      const proto = onnx.ModelProto.decode(bytes);
      const tensor = constant ? proto.graph?.node?.[0]?.attribute?.[0]?.t : proto.graph?.initializer?.[0];
      expect(tensor).toMatchObject({ name: 'w', dims: [2, 2], docString: 'kept' });
      expect(tensor?.dataType).toBe(FLOAT_TYPES[type]);
    }
  });
});

test('external data is read at its offset, and comes into the file when it changes', async () => {
  const externalData = [
    { key: 'location', value: 'data.bin' },
    { key: 'offset', value: '4' },
    { key: 'length', value: '16' },
  ];
  const document = await scan(withWeight('f32', { dataLocation: 1, externalData }, false));
  const file = new Uint8Array(20);
  file.set(floatBytes(VALUES, 'f32'), 4);
  const open = async () => toSource(file, 'data.bin');
  const weight = await weightIn(document);
  expect([...(await readWeight(document, weight, open))]).toEqual(VALUES.map(Math.fround));
  const bytes = await splice(document.source, [await weightEdit(document, weight, [4, 3, 2, 1])]).bytes();
  const again = await scan(bytes);
  expect(again.external).toEqual([]);
  expect([...(await readWeight(again, await weightIn(again)))]).toEqual([4, 3, 2, 1]);

  await expect(readWeight(document, weight)).rejects.toMatchObject({ code: 'external-data' });
  const short = async () => toSource(file.subarray(0, 18), 'data.bin');
  await expect(readWeight(document, weight, short)).rejects.toMatchObject({ code: 'external-data' });
});

test('data that does not fit the shape is refused, as are values that do not', async () => {
  const document = await scan(withWeight('f32', { rawData: new Uint8Array(12) }, false));
  const weight = await weightIn(document);
  await expect(readWeight(document, weight)).rejects.toMatchObject({ code: 'malformed' });
  await expect(weightEdit(document, weight, [1])).rejects.toMatchObject({ code: 'bad-usage' });
});

test('what is no constant float tensor is no weight', async () => {
  const document = await scan(withWeight('f32', { rawData: floatBytes(VALUES, 'f32') }, false));
  const index = indexGraphs(document);
  for (const name of ['x', 'y', '', 'nowhere']) expect(weightOf(index, document.graph, name)).toBeUndefined();
});
