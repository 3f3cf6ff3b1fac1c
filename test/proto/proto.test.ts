import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs/minimal.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { messageOf } from '../../src/base/error.js';
import { createRandom } from '../../src/base/random.js';
import { swap } from '../../src/mish/swap.js';
import { floats, ints, model, node, value } from '../support/model.js';
import { bytesOf, REAL_MODELS } from '../support/models.js';
import { modelPath } from '../support/workbench-page.js';

const require = createRequire(import.meta.url);
const proto = fileURLToPath(new URL('../../proto/', import.meta.url));

/** Attributes of every kind, dimensions of every kind, nested graphs. */
const small = [
  model({
    nodes: [
      node('Op', ['x', ''], ['y', 'z'], {
        f: { f: -0 },
        g: { f: Number.NaN },
        i: -5,
        big: 2 ** 40,
        s: 'text',
        ints: [1, -2, 0],
        strings: { strings: ['a', ''] },
        tensor: { tensor: floats('t', [2], [1, -2]) },
        body: { graph: { name: 'body', node: [node('Relu', ['y'], ['w'])], output: [value('w', 1)] } },
        ref: { ref: 'alpha', type: 'FLOAT' },
      }),
    ],
    inputs: [value('x', 1, ['n', 0, 3])],
    outputs: [value('y', 1), { name: 'z' }],
    initializers: [ints('i', [2], [7, -7])],
  }),
];

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

test('a name is read for what it is, whatever was read before', () => {
  const name = (...bytes: number[]) =>
    onnx.NodeProto.decode(Uint8Array.of(0x1a, bytes.length, ...bytes)).name;
  for (let round = 0; round < 2; round++) {
    expect(name(0xc3, 0xa9)).toBe('é');
    expect(name(0xe9)).toBe('\ufffd'); // the code of é, which is no UTF-8
    expect(name(0x61, 0x62)).toBe('ab');
    expect(name(0x62, 0x61)).toBe('ba');
  }
  for (let at = 0; at < 100_000; at++) {
    const bytes = new TextEncoder().encode(`n${at}`);
    if (name(...bytes) !== `n${at}`) expect.unreachable(`n${at}`);
  }
});

describe('protobufjs’s own generated code, from the same schema', () => {
  const parent = join(proto, '../.demo'); // inside the package, whose protobufjs it imports
  let folder = '';
  let theirs: typeof onnx;
  beforeAll(async () => {
    mkdirSync(parent, { recursive: true });
    folder = mkdtempSync(join(parent, 'proto-'));
    const pbjs = join(dirname(require.resolve('protobufjs-cli/package.json')), 'bin/pbjs');
    const js = join(folder, 'static.mjs');
    const flags =
      '-t static-module -w esm --dependency protobufjs/minimal.js --no-create --no-verify --no-convert';
    execFileSync(process.execPath, [
      pbjs,
      ...flags.split(' '),
      '--no-comments',
      '-o',
      js,
      join(proto, 'onnx.proto3'),
    ]);
    protobuf.util.Long = undefined as never; // 64-bit integers as numbers
    protobuf.configure();
    ({ onnx: theirs } = await import(js));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** A value with its lists, the keys of its objects in order, and bytes as text. */
  function plain(value: unknown): unknown {
    if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
    if (typeof value !== 'object' || value === null) return value;
    // Fields that are not known: ours drops them.
    const entries = Object.entries(value).filter(([key]) => key !== '$unknowns');
    return Object.fromEntries(
      entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, one]) => [key, plain(one)]),
    );
  }

  /** What a decoder makes of bytes, or that it cannot. */
  function outcome(schema: typeof onnx, bytes: Uint8Array): string {
    try {
      return JSON.stringify(plain(schema.ModelProto.decode(bytes)));
    } catch (error) {
      return /utf-8/.test(messageOf(error)) ? 'no UTF-8' : 'refused';
    }
  }
  const models = () => [
    ...small,
    bytesOf(modelPath('vgg-leaky.onnx')),
    bytesOf(REAL_MODELS.vad).slice(0, 20_000),
  ];

  test('reads the same of models, and of models with damage', () => {
    let refused = 0;
    for (const bytes of models()) {
      expect(outcome(onnx, bytes)).toBe(outcome(theirs, bytes));
      const random = createRandom(bytes.length);
      for (let round = 0; round < 300; round++) {
        const damaged = bytes.slice(0, random() < 0.2 ? Math.floor(random() * bytes.length) : undefined);
        for (let count = 0; count < 3; count++)
          damaged[Math.floor(random() * damaged.length)] = random() * 256;
        const expected = outcome(theirs, damaged);
        if (expected === 'no UTF-8') continue; // ours takes strings of any bytes
        if (expected === 'refused') refused++;
        expect(outcome(onnx, damaged)).toBe(expected);
      }
    }
    expect(refused).toBeGreaterThan(50);
  });

  test('writes the same bytes', () => {
    for (const bytes of models().slice(0, -1)) {
      const written = onnx.ModelProto.encode(onnx.ModelProto.decode(bytes)).finish();
      expect(
        Buffer.compare(written, theirs.ModelProto.encode(theirs.ModelProto.decode(bytes)).finish()),
      ).toBe(0);
      expect(outcome(onnx, written)).toBe(outcome(onnx, bytes));
    }
  });

  test('has messages like ours: defaults, lists, and those of which only one can be', () => {
    const names = Object.keys(theirs) as (keyof typeof onnx)[];
    expect(Object.keys(onnx)).toEqual(names);
    for (const name of names) {
      const [our, their] = [onnx[name], theirs[name]] as { prototype?: object }[];
      const of = (schema: { prototype?: object } | undefined) =>
        JSON.stringify(plain({ ...schema?.prototype }));
      expect(of(our)).toBe(of(their));
    }
    for (const schema of [onnx, theirs]) {
      const dim = new schema.TensorShapeProto.Dimension({ dimValue: 0 });
      expect(dim.value).toBe('dimValue');
      dim.dimParam = 'n';
      dim.value = 'dimParam';
      expect([dim.dimValue, dim.value]).toEqual([null, 'dimParam']);
      expect(schema.TensorProto.DataType[1]).toBe('FLOAT');
    }
  });
});

describe('the npm package onnx-proto, built from an older schema by others, reads what we write', () => {
  const { onnx: old } = require('onnx-proto') as {
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
