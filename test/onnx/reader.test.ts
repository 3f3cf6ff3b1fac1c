import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createReader, type Field, keyOf, light, walk } from '../../src/onnx/reader.js';
import { toSource } from '../../src/onnx/source.js';
import { arbitraryModel } from '../support/arbitrary-model.js';
import { fileLike } from '../support/document.js';
import { int, len, parse, varint, type WireField } from '../support/wire.js';

const KIB = 1024;
const WINDOW = 64 * KIB;

/** The fields of a message, as the reader finds them from `start` on. */
async function fieldsOf(bytes: Uint8Array, source = toSource(bytes), start = 0, end = bytes.length) {
  const fields: Field[] = [];
  await walk(createReader(source), start, end, (field) => void fields.push(field));
  return fields;
}

const fixed = (number: number, wire: 1 | 5, size: number) => [
  ...varint(number * 8 + wire),
  ...Array.from({ length: size }, (_, index) => index + 1),
];
const open = (number: number) => varint(number * 8 + 3);
const close = (number: number) => varint(number * 8 + 4);

/** Groups in each other, so many. */
const groups = (depth: number) => [
  ...Array.from({ length: depth }, () => open(200)).flat(),
  ...Array.from({ length: depth }, () => close(200)).flat(),
];

const texts = (field: WireField) => [
  field.number,
  field.wire,
  ...[field.whole, field.body].map((part) => Buffer.from(part).toString('hex')),
];
const afterTag = (field: Uint8Array) => field.subarray(field.findIndex((byte) => byte < 128) + 1);

describe('the fields of a message', () => {
  test('are those that another parser finds, from memory and from a file', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryModel, async ({ bytes }) => {
        const wanted = parse(bytes);
        for (const source of [toSource(bytes), fileLike(bytes)]) {
          const found = await fieldsOf(bytes, source);
          const parts = found.map(({ number, wire, start, lengthAt, body, end }) => ({
            number,
            wire,
            whole: bytes.subarray(start, end),
            // A group's value is all that is in it.
            body: wire === 2 ? bytes.subarray(body, end) : bytes.subarray(lengthAt, end),
          }));
          expect(parts.map(texts)).toEqual(
            wanted.map((one) => texts(one.wire === 2 ? one : { ...one, body: afterTag(one.whole) })),
          );
        }
      }),
      { numRuns: 50, seed: 11 },
    );
  });

  test.each([0, 1, 2, 7, 8, 15, 16, 17])(
    'are found wherever the window of a file ends, %i bytes before it',
    async (gap) => {
      const tail = [
        ...int(3, 2 ** 40, 2),
        ...fixed(4, 1, 8),
        ...groups(2),
        ...len(5, 'text', 2, 2),
        ...fixed(6, 5, 4),
      ];
      const filler = len(1, new Uint8Array(WINDOW - gap - 4));
      const bytes = Uint8Array.from([...filler, ...tail, ...len(2, new Uint8Array(WINDOW)), ...tail]);
      const found = await fieldsOf(bytes, fileLike(bytes));
      expect(found).toEqual(await fieldsOf(bytes));
      expect(found.map(({ number }) => number)).toEqual([1, 3, 4, 200, 5, 6, 2, 3, 4, 200, 5, 6]);
    },
  );

  test('end where the message ends, although the file goes on', async () => {
    const inner = [...int(1, 300), ...fixed(2, 1, 8), ...fixed(3, 5, 4), ...len(4, 'abc'), ...groups(1)];
    const bytes = Uint8Array.from([...int(9, 1), ...inner, ...int(9, 1)]);
    const found = await fieldsOf(bytes, toSource(bytes), 2, 2 + inner.length);
    expect(found.map(({ number }) => number)).toEqual([1, 2, 3, 4, 200]);
    expect(found.at(-1)?.end).toBe(2 + inner.length);
  });

  test('have numbers up to 2^29 - 1', async () => {
    const bytes = Uint8Array.from(int(2 ** 29 - 1, 5));
    expect(await fieldsOf(bytes)).toMatchObject([{ number: 2 ** 29 - 1, wire: 0 }]);
    await expect(fieldsOf(Uint8Array.from(int(2 ** 29, 5)))).rejects.toThrow(
      `field number ${2 ** 29} does not exist`,
    );
  });

  test('may be groups 100 deep, and no more', async () => {
    expect(await fieldsOf(Uint8Array.from(groups(100)))).toMatchObject([{ number: 200, end: 400 }]);
    await expect(fieldsOf(Uint8Array.from(groups(101)))).rejects.toThrow('groups are nested too deeply');
  });

  test('may be a group longer than the window', async () => {
    const bytes = Uint8Array.from([
      ...open(7),
      ...len(1, new Uint8Array(WINDOW - 3)),
      ...len(2, new Uint8Array(WINDOW)),
      ...close(7),
      8,
      1,
    ]);
    expect((await fieldsOf(bytes, fileLike(bytes))).map(({ number, end }) => [number, end])).toEqual([
      [7, bytes.length - 2],
      [1, bytes.length],
    ]);
  });
});

describe('a message that breaks off says what is wrong and at which byte', () => {
  const before = int(9, 1);
  test.each([
    ['in a tag', [0x88], 'the message ends inside a number', 2],
    ['before a number', varint(8), 'the message ends inside a number', 3],
    ['in a number', [...varint(8), 0x80, 0x80], 'the message ends inside a number', 3],
    ['in a length', [...varint(10), 0x80], 'the message ends inside a number', 3],
    ['in 8 bytes', fixed(1, 1, 7), 'the message ends inside a fixed-size number', 2],
    ['in 4 bytes', fixed(1, 5, 3), 'the message ends inside a fixed-size number', 2],
    ['in a string', [...varint(10), 5, 1, 2], 'a length of 5 bytes leaves only 2 bytes to read', 2],
    ['in a group', [...open(3), ...int(1, 1)], 'a group has no end', 2],
    ['in a group of a group', [...open(3), ...open(4), ...close(4)], 'a group has no end', 2],
    ['with the end of another group', [...open(3), ...close(4)], 'a group ends without a start', 3],
    ['with the end of no group', close(3), 'a group ends without a start', 2],
    ['with wire type 7', [15], 'wire type 7 does not exist', 2],
    ['with field number 0', [0, 0], 'field number 0 does not exist', 2],
    ['with a tag of 6 bytes', varint(8, 5), 'a number is longer than 5 bytes', 2],
    ['with a number of 11 bytes', int(1, 1, 10), 'a number is longer than 10 bytes', 3],
  ])('%s', async (_, bytes, what, at) => {
    const cut = Uint8Array.from([...before, ...bytes]);
    // What follows the message in the file is no part of it.
    const longer = Uint8Array.from([...cut, ...new Uint8Array(20)]);
    for (const whole of [cut, longer]) {
      for (const source of [toSource(whole), fileLike(whole)]) {
        const error = await fieldsOf(whole, source, 0, cut.length).catch((cause: unknown) => cause);
        expect(error).toMatchObject({
          code: 'malformed',
          what: expect.stringContaining(what),
          where: `${source.name}, byte ${at}, in the model`,
          fix: expect.stringMatching(/copied or downloaded whole/),
        });
      }
    }
  });

  test('and not when it is just long enough', async () => {
    for (const bytes of [
      fixed(1, 1, 8),
      fixed(1, 5, 4),
      [...varint(10), 2, 1, 2],
      int(1, 1, 9),
      varint(8, 4).concat(1),
      groups(3),
    ]) {
      expect(await fieldsOf(Uint8Array.from(bytes))).toHaveLength(1);
    }
  });

  test('also where the file itself is shorter than it was', async () => {
    const source = { name: 'shrunk', size: 100, read: async () => new Uint8Array(50) };
    await expect(fieldsOf(new Uint8Array(0), source, 0, 100)).rejects.toThrow(
      'the file ended while it was being read',
    );
  });

  test('names the current place', async () => {
    const reader = createReader(toSource(Uint8Array.of(15), 'file.onnx'));
    reader.place = 'an attribute';
    await expect(walk(reader, 0, 1, () => undefined)).rejects.toThrow(
      /^file\.onnx, byte 0, in an attribute: /,
    );
    reader.place = () => 'node 7';
    const cause = new Error('inner');
    expect(reader.fail('broken', 3, cause)).toMatchObject({
      what: 'broken',
      where: 'file.onnx, byte 3, in node 7',
      cause,
    });
  });
});

describe('bytes of a range', () => {
  const bytes = Uint8Array.from({ length: 3 * WINDOW }, (_, index) => (index * 7) % 251);

  test('are the file’s, whatever was read before', async () => {
    const place = fc.nat(bytes.length);
    const range = fc
      .tuple(place, fc.oneof(fc.nat(40), fc.nat(2 * WINDOW)))
      .map(([start, length]) => [start, Math.min(start + length, bytes.length)] as const);
    await fc.assert(
      fc.asyncProperty(fc.array(range, { minLength: 1, maxLength: 6 }), async (ranges) => {
        for (const source of [toSource(bytes), fileLike(bytes)]) {
          const reader = createReader(source);
          for (const [start, end] of ranges) {
            expect(Buffer.compare(await reader.bytes(start, end), bytes.subarray(start, end))).toBe(0);
          }
        }
      }),
      { numRuns: 50, seed: 12 },
    );
  });

  test('are read once as long as the window holds them, and never more than the window for a few', async () => {
    const source = fileLike(bytes);
    const reader = createReader(source);
    for (let at = 0; at < WINDOW; at += 1000) await reader.bytes(at, Math.min(at + 10, WINDOW));
    expect([source.total(), source.largest()]).toEqual([WINDOW, WINDOW]);
    await reader.bytes(WINDOW, 2 * WINDOW + 1); // more than the window holds is read by itself
    expect([source.total(), source.largest()]).toEqual([2 * WINDOW + 1, WINDOW + 1]);
    await reader.bytes(5, 10);
    expect(source.total()).toBe(2 * WINDOW + 1);
  });

  test('of a buffer are its own, and nothing is copied', async () => {
    const view = await createReader(toSource(bytes)).bytes(10, 2 * WINDOW);
    expect(view.buffer).toBe(bytes.buffer);
  });
});

describe('a message without its heavy fields', () => {
  const fields = [
    len(1, 'a'),
    int(2, 7),
    len(3, 'heavy'),
    len(4, 'b'),
    fixed(5, 5, 4),
    len(3, 'again'),
    int(6, 1),
  ];
  const bytes = Uint8Array.from(fields.flat());
  const without = (source: Uint8Array, left: readonly number[]) =>
    light(createReader(fileLike(source)), 0, source.length, ({ number }) => left.includes(number));

  test.each([[[3]], [[1]], [[6]], [[2, 4]], [[1, 2, 3, 4, 5, 6]], [[]], [[1, 2, 3, 4, 6]]])(
    '%j',
    async (left) => {
      const kept = parse(bytes).filter(({ number }) => !left.includes(number));
      expect(await without(bytes, left)).toEqual(Uint8Array.from(kept.flatMap(({ whole }) => [...whole])));
    },
  );

  test('is put together from wherever it lies', async () => {
    const big = Uint8Array.from([
      ...len(1, 'a'),
      ...len(3, new Uint8Array(2 * WINDOW)),
      ...len(2, 'b'),
      ...len(3, new Uint8Array(WINDOW)),
      ...len(4, 'c'),
    ]);
    expect(await without(big, [3])).toEqual(
      Uint8Array.from([...len(1, 'a'), ...len(2, 'b'), ...len(4, 'c')]),
    );
  });

  test('asks for what lies together at once', async () => {
    const source = fileLike(bytes);
    const reader = createReader(source);
    const asked: [number, number][] = [];
    const spied = {
      ...reader,
      bytes: (start: number, end: number) => {
        asked.push([start, end]);
        return reader.bytes(start, end);
      },
    };
    await light(spied, 0, bytes.length, ({ number }) => number === 3);
    expect(asked).toHaveLength(3);
    asked.length = 0;
    await light(spied, 0, bytes.length, () => false);
    expect(asked).toEqual([[0, bytes.length]]);
  });
});

test('a walk waits for an asynchronous visitor', async () => {
  const bytes = Uint8Array.from([...int(1, 1), ...int(2, 1), ...int(3, 1)]);
  const order: string[] = [];
  await walk(createReader(toSource(bytes)), 0, bytes.length, ({ number }) => {
    order.push(`begin ${number}`);
    return Promise.resolve()
      .then(() => undefined)
      .then(() => void order.push(`end ${number}`));
  });
  expect(order).toEqual(['begin 1', 'end 1', 'begin 2', 'end 2', 'begin 3', 'end 3']);
});

test('a source that fills what it is given is read the same, small and large', async () => {
  const bytes = Uint8Array.from({ length: 200_000 }, (_, index) => (index * 11) % 253);
  const plain = fileLike(bytes);
  const filling = {
    ...plain,
    readInto: async (target: Uint8Array, offset: number) =>
      target.set(bytes.subarray(offset, offset + target.length)),
  };
  const reader = createReader(filling);
  for (const [start, end] of [
    [0, 10],
    [150_000, 150_010],
    [0, 100_000],
    [70_000, 70_005],
    [199_990, 200_000],
    [3, 9],
  ] as const) {
    expect(Buffer.compare(await reader.bytes(start, end), bytes.subarray(start, end))).toBe(0);
  }
});

test('the key of fields is their bytes, wherever the window is, up to a length', async () => {
  const bytes = Uint8Array.from([...len(1, 'a'), ...len(2, 'x'.repeat(2 * WINDOW)), ...len(1, 'b')]);
  for (const source of [toSource(bytes), fileLike(bytes)]) {
    const reader = createReader(source);
    const fields = await fieldsOf(bytes, source);
    const ends = fields.filter(({ number }) => number === 1);
    const wanted = String.fromCharCode(...len(1, 'a'), ...len(1, 'b'));
    expect(await keyOf(reader, ends, wanted.length)).toBe(wanted);
    expect(await keyOf(reader, ends, wanted.length - 1)).toBe('');
    expect(await keyOf(reader, fields, 100)).toBe('');
  }
});
