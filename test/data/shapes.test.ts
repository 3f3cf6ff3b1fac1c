import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sampledFeeds } from '../../src/data/arrays.js';
import { checkShapes, resolveShape, settleShapes } from '../../src/data/shapes.js';
import type { ValueInfo } from '../../src/providers/provider.js';

const symbol = fc.constantFrom('batch', 'seq', 'toString', '__proto__', 'a b');
const dim = fc.oneof(fc.integer({ min: 1, max: 5 }), symbol, fc.constantFrom('', -1));
const inputs: fc.Arbitrary<ValueInfo[]> = fc
  .array(fc.oneof(fc.array(dim, { maxLength: 4 }), fc.tuple(dim, fc.constant(3), dim, dim)), {
    minLength: 1,
    maxLength: 4,
  })
  .map((all) => all.map((dims, index) => ({ name: `in${index}`, elemType: 'f32', dims })));
const isSymbol = (dim: number | string) => typeof dim === 'string' && dim !== '';
const symbolsOf = (values: readonly ValueInfo[]) =>
  new Set(values.flatMap(({ dims }) => dims.filter(isSymbol)));
const RUNS = { numRuns: 200, seed: 14 };

/** Default sizes of images, of other dimensions of the first input, and of those of later inputs, by attempt. */
const ATTEMPTS = [
  [224, 1, 1],
  [256, 16, 16],
  [640, 16, 1],
  [48, 64, 64],
  [32, 64, 1],
  [224, 256, 256],
  [224, 256, 1],
  [224, 512, 512],
  [224, 512, 1],
] as const;

/** Returns the default size of a free dimension: a symbol has one in all inputs. */
function defaultSize(values: readonly ValueInfo[], value: ValueInfo, axis: number, attempt: number) {
  const dim = value.dims[axis] ?? '';
  const isAnywhere = (isRight: (one: ValueInfo, at: number) => boolean) =>
    isRight(value, axis) ||
    (isSymbol(dim) && values.some((one) => one.dims.some((other, at) => other === dim && isRight(one, at))));
  if (isAnywhere(({ dims }, at) => at === 0 && dims.length > 1)) return 1;
  const isChannels = (size: number | string = '') => [1, 2, 3, 4].includes(Number(size || 0));
  const isImage = ({ dims }: ValueInfo, at: number) =>
    dims.length === 4 && (isChannels(dims[1]) ? at > 1 : isChannels(dims[3]) && [1, 2].includes(at));
  if (isAnywhere(isImage)) return ATTEMPTS[attempt]?.[0];
  return ATTEMPTS[attempt]?.[isAnywhere((one) => one === values[0]) ? 1 : 2];
}

test('a free dimension gets the size of its symbol, else of *, else a default, and a note lists the default sizes', () => {
  const attempts = fc.nat(ATTEMPTS.length - 1);
  const given = [fc.dictionary(symbol, fc.nat(9)), fc.option(fc.nat(9))] as const;
  fc.assert(
    fc.property(inputs, ...given, attempts, (values, sizes, rest, attempt) => {
      const symbols = symbolsOf(values);
      const given = Object.fromEntries(Object.entries(sizes).filter(([name]) => symbols.has(name)));
      const dims = rest === null ? given : { ...given, '*': rest };
      const settled = settleShapes(values, { dims }, attempt);
      const named = new Map(Object.entries(given));
      const expected = (value: ValueInfo) =>
        value.dims.map((dim, axis) =>
          typeof dim === 'number' && dim >= 0
            ? dim
            : (named.get(String(dim)) ?? rest ?? defaultSize(values, value, axis, attempt)),
        );
      for (const value of values) expect(resolveShape(value, settled)).toEqual(expected(value));
      const open = [...symbols].filter((name) => !named.has(String(name)));
      const unnamed = values.some(({ dims }) => dims.some((dim) => dim === '' || Number(dim) < 0));
      const taken = settled.notes.filter((note) => note.includes('are taken as'));
      expect(taken).toHaveLength(rest === null && (open.length > 0 || unnamed) ? 1 : 0);
      for (const name of rest === null ? open : []) expect(taken[0]).toContain(`'${name}'`);
      const empty = values.filter((value) => expected(value).includes(0));
      expect(settled.notes.length - taken.length).toBe(empty.length > 0 ? 1 : 0);
    }),
    RUNS,
  );
});

test('sizes that are given, and the number of samples, leave no other attempt', () => {
  const image = { name: 'x', elemType: 'f32', dims: ['N', 3, 'H', 'W'] };
  const hasNext = (value: ValueInfo, options: Parameters<typeof settleShapes>[1], attempt?: number) =>
    settleShapes([value], options, attempt).hasNext;
  expect(hasNext(image, {})).toBe(true);
  expect(hasNext(image, {}, ATTEMPTS.length - 1)).toBe(false);
  expect(hasNext(image, { dims: { H: 8 } })).toBe(true);
  expect(hasNext(image, { dims: { H: 8, W: 8 } })).toBe(false);
  expect(hasNext(image, { dims: { '*': 8 } })).toBe(false);
  expect(hasNext(image, { shapes: { x: [1, 3, 8, 8] } })).toBe(false);
  expect(hasNext({ ...image, dims: ['N', 10] }, {})).toBe(false);
});

test('a symbol takes its size from the shape of another input', () => {
  const values = [
    { name: 'a', elemType: 'f32', dims: ['N', 3] },
    { name: 'b', elemType: 'f32', dims: ['N', 'M'] },
  ];
  const settled = settleShapes(values, { shapes: { a: [4, 3] } });
  expect(values.map((value) => resolveShape(value, settled))).toEqual([
    [4, 3],
    [4, 1],
  ]);
  expect(settled.notes).toEqual([expect.stringMatching(/taken as 1: 'M'$/)]);
  expect(Object.values(settled.noteOptions)).toEqual([{ dims: null }]);
});

test('a mask has the size of its image', () => {
  const image = { name: 'x', elemType: 'f32', dims: ['N', 3, 'H', 'W'] };
  const mask = { name: 'mask', elemType: 'i64', dims: ['N', 'H', 'W'] };
  for (const inputs of [
    [image, mask],
    [mask, image],
  ])
    expect(settleShapes(inputs, {}).shapes).toEqual({ x: [1, 3, 224, 224], mask: [1, 224, 224] });
});

test('a note lists inputs without elements', () => {
  const inputs = [
    { name: 'a', elemType: 'f32', dims: ['N', 3] },
    { name: 'b', elemType: 'f32', dims: [2] },
  ] as const;
  expect(settleShapes(inputs, { dims: { N: 0 } }).notes).toEqual(["empty inputs do not test the model: 'a'"]);
  expect(settleShapes(inputs, { dims: { N: 1 } }).notes).toEqual([]);
});

test('an unknown input or symbol is rejected, and the known ones are listed', () => {
  fc.assert(
    fc.property(inputs, fc.string(), (values, name) => {
      const symbols = symbolsOf(values);
      if (!symbols.has(name) && name !== '*' && name !== '__proto__') {
        expect(() => checkShapes(values, { dims: { [name]: 1 } })).toThrow(
          expect.objectContaining({
            code: 'bad-usage',
            fix: expect.stringContaining([...symbols].map((real) => `'${real}'`).join(', ')),
          }),
        );
      }
      expect(() => checkShapes(values, { shapes: { [`no ${name}`]: [1] } })).toThrow(
        expect.objectContaining({ fix: expect.stringContaining("'in0'") }),
      );
    }),
    RUNS,
  );
});

test('the samples decide all dimensions except the batch, which * decides', () => {
  const values = [{ name: 'x', elemType: 'f32', dims: ['N', 'M'] }];
  const x = { elemType: 'f32', dims: [4, 3], data: new Float32Array(12) };
  const shapes = (dims: Record<string, number>) =>
    sampledFeeds({ x }, values, { dims }).feeds.map((feed) => feed.x?.dims);
  expect(shapes({})).toEqual([
    [1, 3],
    [1, 3],
    [1, 3],
    [1, 3],
  ]);
  expect(shapes({ '*': 2 })).toEqual([
    [2, 3],
    [2, 3],
  ]);
  expect(() => shapes({ K: 1 })).toThrow(/no input of the model/);
});
