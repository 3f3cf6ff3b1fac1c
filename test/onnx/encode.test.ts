import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import {
  concat,
  createNodeEncoder,
  metadataField,
  nodeField,
  outputField,
  valueField,
  varint,
} from '../../src/onnx/encode.js';
import { parse, varint as written } from '../support/wire.js';

/** The one field that the bytes are. */
function only(bytes: Uint8Array) {
  const fields = parse(bytes);
  expect(fields).toHaveLength(1);
  return fields[0] ?? { number: 0, wire: 0, whole: bytes, body: bytes };
}

test('numbers are written as protobuf writes them, up to 2^53', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      expect([...varint(value)]).toEqual(written(value));
    }),
  );
  for (let bits = 0; bits <= 53; bits++) {
    for (const value of [2 ** bits - 1, 2 ** bits]) {
      if (Number.isSafeInteger(value)) expect([...varint(value)]).toEqual(written(value));
    }
  }
});

describe('fields have the numbers of onnx.proto3', () => {
  const proto = { opType: 'Relu', input: ['x'], output: ['y'] };
  test.each([
    ['graph', 1],
    ['function', 7],
  ] as const)('a node of a %s', (scope, number) => {
    const field = only(nodeField(scope, proto));
    expect(field.number).toBe(number);
    expect(onnx.NodeProto.decode(field.body)).toMatchObject(proto);
  });

  test.each([
    ['input', 11],
    ['output', 12],
  ] as const)('a tensor that is an %s', (kind, number) => {
    const field = only(valueField(kind, { name: 'x', elemType: 10, dims: [2, 3] }));
    expect(field.number).toBe(number);
    expect(onnx.ValueInfoProto.decode(field.body)).toMatchObject({
      name: 'x',
      type: { tensorType: { elemType: 10, shape: { dim: [{ dimValue: 2 }, { dimValue: 3 }] } } },
    });
  });

  test('an output without a type, and an entry of metadata', () => {
    const output = only(outputField('y'));
    expect(output.number).toBe(12);
    expect(onnx.ValueInfoProto.decode(output.body)).toMatchObject({ name: 'y' });
    const entry = only(metadataField('k', 'v'));
    expect(entry.number).toBe(14);
    expect(onnx.StringStringEntryProto.decode(entry.body)).toMatchObject({ key: 'k', value: 'v' });
  });
});

test('bytes are joined in their order', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 9 })), (parts) => {
      expect([...concat(parts)]).toEqual(parts.flatMap((part) => [...part]));
    }),
  );
});

test('nodes of many lists are as if each was encoded alone, whatever follows them, and of any length', () => {
  const name = fc.string({ maxLength: 9, unit: 'binary' });
  const proto = fc.record({ opType: name, name, input: fc.array(name), output: fc.array(name) });
  const lists = fc.array(fc.array(proto, { maxLength: 5 }), { maxLength: 12 });
  const large = fc.constantFrom(0, 65_535, 65_536, 65_537, 200_000);
  fc.assert(
    fc.property(lists, large, fc.constantFrom('graph', 'function'), (all, length, scope) => {
      const long = [{ opType: 'X'.repeat(length) }];
      const encode = createNodeEncoder();
      const given = [...all, long, ...all];
      const found = given.map((nodes) => encode(scope, nodes));
      for (const [at, nodes] of given.entries()) {
        const alone = concat(nodes.map((one) => nodeField(scope, one)));
        expect(Buffer.compare(found[at] ?? new Uint8Array(1), alone)).toBe(0);
      }
    }),
    { numRuns: 30 },
  );
});

test('the nodes of small lists lie in one buffer', () => {
  const encode = createNodeEncoder();
  const buffers = Array.from({ length: 1000 }, () => encode('graph', [{ opType: 'Mul' }]).buffer);
  expect(new Set(buffers).size).toBe(1);
});
