import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { externalizeData } from '../../src/onnx/externalize-data.js';
import { inlineData } from '../../src/onnx/inline-data.js';
import { scan } from '../../src/onnx/scan.js';
import { type ByteSource, toSource } from '../../src/onnx/source.js';
import { externalModel } from '../support/external.js';
import { failure } from '../support/graph.js';
import { model, node, value } from '../support/model.js';

const files =
  (content: Readonly<Record<string, Uint8Array>>) =>
  async (location: string): Promise<ByteSource> =>
    toSource(content[location] ?? new Uint8Array(), location);

/** Tensors of random types and sizes, each in one of the ways in which a model can hold it. */
const tensors = fc.array(
  fc.record({
    type: fc.constantFrom(1, 2, 3, 6, 7, 9, 10, 11, 16, 22),
    count: fc.constantFrom(0, 1, 3, 255, 256, 700, 5000),
    layout: fc.constantFrom('raw', 'typed', 'a.bin', 'b.bin'),
    hasLength: fc.boolean(),
    seed: fc.nat(250),
  }),
  { maxLength: 6 },
);
const BITS: Readonly<Record<number, number>> = { 1: 32, 6: 32, 7: 64, 10: 16, 11: 64, 16: 16, 22: 4 };

type Spec = { type: number; count: number; layout: string; hasLength?: boolean; seed: number };

const EMPTY = { type: 1, count: 0, layout: 'a.bin', hasLength: true, seed: 0 };

/** Builds a model with the tensors, its data files, and the bytes of each tensor. */
function build(specs: readonly Spec[]) {
  const data: Record<string, number[]> = { 'a.bin': [9], 'b.bin': [] };
  const bytes = specs.map(({ type, count, seed }) => {
    const length = Math.ceil((count * (BITS[type] ?? 8)) / 8);
    return Uint8Array.from({ length }, (_, at) => (seed + at) % 127);
  });
  const initializers = specs.map(({ type, count, layout, hasLength = true }, index): onnx.ITensorProto => {
    const raw = bytes[index] ?? new Uint8Array();
    const base = { name: `w${index}`, dataType: type, dims: [count], docString: 'kept' };
    if (layout === 'typed' && type === 1)
      return { ...base, floatData: [...new Float32Array(raw.slice().buffer)] };
    if (layout === 'typed' && type === 11)
      return { ...base, doubleData: [...new Float64Array(raw.slice().buffer)] };
    const file = data[layout];
    if (file === undefined) return { ...base, rawData: raw };
    // The length is optional: without it, the type and the dimensions tell how much is read.
    const length = hasLength ? { length: `${raw.length}` } : {};
    const entries = { location: layout, offset: `${file.length}`, ...length };
    for (const byte of raw) file.push(byte);
    const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
    return { ...base, dataLocation: 1, externalData };
  });
  const use = node('Relu', ['x'], ['y']);
  const contents = Object.fromEntries(
    Object.entries(data).map(([name, list]) => [name, Uint8Array.from(list)]),
  );
  return {
    model: model({ nodes: [use], initializers, inputs: [value('x', 1, [1])] }),
    data: contents,
    bytes,
  };
}

/** Returns the raw bytes of the initializers, from the model or its data file. */
function contents(file: Uint8Array, data: Uint8Array = new Uint8Array()) {
  return (onnx.ModelProto.decode(file).graph?.initializer ?? []).map((tensor) => {
    expect(tensor.docString).toBe('kept');
    if (tensor.dataLocation === 1) {
      const entries = Object.fromEntries((tensor.externalData ?? []).map(({ key, value }) => [key, value]));
      expect(entries.location).toBe('new.bin');
      return data.slice(Number(entries.offset), Number(entries.offset) + Number(entries.length));
    }
    if (tensor.floatData?.length) return new Uint8Array(Float32Array.from(tensor.floatData).buffer);
    if (tensor.doubleData?.length) return new Uint8Array(Float64Array.from(tensor.doubleData).buffer);
    return tensor.rawData ?? new Uint8Array();
  });
}

/** Text, which is quicker to compare. */
const hex = (list: readonly Uint8Array[]) => list.map((bytes) => Buffer.from(bytes).toString('hex'));

test('weights move in and out of random models without a changed byte', async () => {
  await fc.assert(
    fc.asyncProperty(tensors, async (specs) => {
      const made = build(specs);
      const document = await scan(made.model);
      const inside = await (await inlineData(document, files(made.data))).bytes();
      expect((await scan(inside)).external).toEqual([]);
      expect(hex(contents(inside))).toEqual(hex(made.bytes));
      const { model: outside, data } = await externalizeData(document, 'new.bin', files(made.data));
      const out = await outside.bytes();
      const large = specs.filter(
        ({ layout, count }, index) =>
          count > 0 && (/bin/.test(layout) || (made.bytes[index]?.length ?? 0) >= 1024),
      );
      const { external } = await scan(out);
      expect(external).toHaveLength(large.length);
      // ONNX Runtime refuses a model whose data file is not there, even for a tensor without elements.
      expect(data !== undefined).toBe(external.length > 0);
      const moved = (await data?.bytes()) ?? new Uint8Array();
      expect(hex(contents(out, moved))).toEqual(hex(made.bytes));
      const back = await inlineData(await scan(out), files({ 'new.bin': moved }));
      expect(hex(contents(await back.bytes()))).toEqual(hex(made.bytes));
    }),
    { numRuns: 20, seed: 4, examples: [[[EMPTY]], [[EMPTY, { ...EMPTY, count: 3 }]]] },
  );
});

test('a model without external data stays the same to the byte', async () => {
  const { model: bytes } = build([{ type: 1, count: 3, layout: 'raw', seed: 1 }]);
  const document = await scan(bytes);
  expect(await (await inlineData(document, files({}))).bytes()).toEqual(bytes);
  const { model: same, data } = await externalizeData(document, 'new.bin', files({}));
  expect(data).toBeUndefined();
  expect(await same.bytes()).toEqual(bytes);
});

test('large tensors begin at a page, others at 64 bytes', async () => {
  const specs = [3000, 300_000, 700].map((count) => ({ type: 1, count, layout: 'raw', seed: 1 }));
  const { model: out } = await externalizeData(await scan(build(specs).model), 'new.bin', files({}));
  const { external } = await scan(await out.bytes());
  const offsets = external.map(({ tensor }) => Number(tensor.external?.get('offset')));
  expect(offsets).toEqual([0, 12_288, 1_212_288]);
});

describe('what cannot be moved is refused', () => {
  const inline = async (bytes: Uint8Array, size: number, data = new Uint8Array(size)) =>
    failure(scan(bytes).then((document) => inlineData(document, files({ 'w.bin': data }))));

  test('a data file that is too short', async () => {
    expect(await inline(externalModel('w.bin'), 15)).toMatchObject({
      code: 'external-data',
      message: expect.stringContaining("'bias' should have 16 bytes of 'w.bin'"),
    });
  });

  test('more than 2 GiB', async () => {
    const dims = [1024, 1024, 512];
    const entries = [{ key: 'location', value: 'w.bin' }];
    const tensor = { name: 'w', dataType: 1, dims, dataLocation: 1, externalData: entries };
    const bytes = model({ nodes: [node('Relu', ['x'], ['y'])], initializers: [tensor] });
    const huge: ByteSource = { name: 'w.bin', size: 2 ** 31, read: () => Promise.reject(new Error('read')) };
    const error = await failure(scan(bytes).then((document) => inlineData(document, async () => huge)));
    expect(error).toMatchObject({ code: 'external-data', option: { externalData: 'keep' } });
    expect(error).toMatchObject({ message: expect.stringMatching(/2,147,483,\d{3} bytes .* at most 2 GiB/) });
  });

  test('a sparse tensor', async () => {
    const entries = [{ key: 'location', value: 'w.bin' }];
    const values = { name: 'w', dataType: 1, dims: [2], dataLocation: 1, externalData: entries };
    const bytes = onnx.ModelProto.decode(model({ nodes: [node('Relu', ['x'], ['y'])] }));
    bytes.graph?.sparseInitializer?.push({ values, dims: [4] });
    const error = await inline(onnx.ModelProto.encode(bytes).finish(), 8);
    expect(error).toMatchObject({
      code: 'external-data',
      message: expect.stringContaining('cannot be moved'),
    });
  });
});
