import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { swap } from '../../src/mish/swap.js';
import { bytesOf, REAL_MODELS } from '../support/models.js';

const proto = fileURLToPath(new URL('../../proto/', import.meta.url));

test('the generated code is what onnx.proto3 gives', () => {
  const folder = mkdtempSync(join(tmpdir(), 'onnx-mish-proto-'));
  try {
    execFileSync(process.execPath, [join(proto, 'generate.js'), folder]);
    for (const name of ['onnx.js', 'onnx.d.ts']) {
      expect(readFileSync(join(folder, name), 'utf8')).toBe(readFileSync(join(proto, name), 'utf8'));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the generated code makes no code at run time', () => {
  expect(readFileSync(join(proto, 'onnx.js'), 'utf8')).not.toMatch(/new Function|eval\(/);
});

test('a number that is not there is 0, and no object that stands for it', () => {
  expect(onnx.AttributeProto.decode(new Uint8Array(0)).i).toBe(0);
  expect(onnx.ModelProto.decode(new Uint8Array(0)).irVersion).toBe(0);
});

test('the schema is complete for IR 14', () => {
  expect(onnx.Version.IR_VERSION).toBe(14);
  expect(onnx.TensorProto.DataType).toMatchObject({
    BFLOAT16: 16,
    FLOAT8E5M2FNUZ: 20,
    INT4: 22,
    FLOAT4E2M1: 23,
    FLOAT8E8M0: 24,
    INT2: 26,
  });
  expect(onnx.AttributeProto.AttributeType).toMatchObject({
    SPARSE_TENSOR: 11,
    SPARSE_TENSORS: 12,
    TYPE_PROTO: 13,
    TYPE_PROTOS: 14,
  });
  // Field numbers, as they come out on the wire: (number << 3 | 2) is the first byte or two.
  const tag = (message: { finish(): Uint8Array }) => {
    const [first = 0, second = 0] = message.finish();
    return (first < 128 ? first : (first & 127) | (second << 7)) >> 3;
  };
  const entry = [{ key: 'k', value: 'v' }];
  expect(tag(onnx.ModelProto.encode({ configuration: [{ name: 'c' }] }))).toBe(26);
  expect(tag(onnx.ModelProto.encode({ functions: [{ name: 'f' }] }))).toBe(25);
  expect(tag(onnx.NodeProto.encode({ overload: 'o' }))).toBe(8);
  expect(tag(onnx.NodeProto.encode({ metadataProps: entry }))).toBe(9);
  expect(tag(onnx.NodeProto.encode({ deviceConfigurations: [{ configurationId: 'c' }] }))).toBe(10);
  expect(tag(onnx.GraphProto.encode({ metadataProps: entry }))).toBe(16);
  expect(tag(onnx.TensorProto.encode({ metadataProps: entry }))).toBe(16);
  expect(tag(onnx.FunctionProto.encode({ valueInfo: [{ name: 'v' }] }))).toBe(12);
  expect(tag(onnx.FunctionProto.encode({ attributeProto: [{ name: 'a' }] }))).toBe(11);
  expect(tag(onnx.FunctionProto.encode({ metadataProps: entry }))).toBe(14);
  expect(tag(onnx.ValueInfoProto.encode({ metadataProps: entry }))).toBe(4);
  expect(tag(onnx.TypeProto.encode({ optionalType: {} }))).toBe(9);
  expect(tag(onnx.TypeProto.encode({ sparseTensorType: {} }))).toBe(8);
});

test('64-bit integers are numbers, and strings that are no UTF-8 do not end the reading', () => {
  const bytes = onnx.ModelProto.encode({ irVersion: 8, modelVersion: 2 ** 40 }).finish();
  expect(onnx.ModelProto.decode(bytes)).toMatchObject({ irVersion: 8, modelVersion: 2 ** 40 });
  expect(onnx.NodeProto.decode(Uint8Array.of(0x1a, 2, 0xff, 0xfe)).name).toBe('\ufffd\ufffd');
});

describe('the npm package onnx-proto, built from an older schema by others, reads what we write', () => {
  const { onnx: old } = createRequire(import.meta.url)('onnx-proto') as {
    onnx: { ModelProto: { decode(bytes: Uint8Array): OldModel } };
  };
  interface OldModel {
    graph: {
      node: { opType: string; name: string; input: string[]; output: string[]; attribute: object[] }[];
    };
    metadataProps: { key: string; value: string }[];
  }

  test.each(['embedding', 'detector', 'classifier', 'jarvis'] as const)('%s', async (name) => {
    const bytes = bytesOf(REAL_MODELS[name]);
    const { output, report } = await swap(bytes, { form: 'softplus' });
    const written = await output.bytes();
    const [before, after] = [old.ModelProto.decode(bytes), old.ModelProto.decode(written)];
    const count = ({ graph }: OldModel, op: string) =>
      graph.node.filter(({ opType }) => opType === op).length;
    const sites = report.sites.filter(({ scope }) => scope === 'graph').length;
    expect(after.graph.node.length).toBe(before.graph.node.length + 2 * sites);
    expect(count(after, 'Softplus') - count(before, 'Softplus')).toBe(sites);
    expect(count(after, 'Relu') + count(after, 'LeakyRelu')).toBe(0);
    // Attributes and names of the nodes that stay, in order.
    const kept = ({ graph }: OldModel) =>
      graph.node.filter((node) => !/Relu$|^(Softplus|Tanh|Mul|If)$/.test(node.opType));
    expect(JSON.stringify(kept(after))).toBe(JSON.stringify(kept(before)));
    // And it agrees with our own reader, node for node.
    const ours = onnx.ModelProto.decode(written).graph?.node ?? [];
    expect(ours.map(({ name, input, output }) => [name, input, output])).toEqual(
      after.graph.node.map((node) => [node.name, node.input, node.output]),
    );
    expect(after.metadataProps.map(({ key }) => key).slice(-2)).toEqual(['onnx-mish', 'onnx-mish.undo']);
  });
});
