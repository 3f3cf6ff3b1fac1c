import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sampledFeeds } from '../../src/data/arrays.js';
import { checkShapes, resolveShape, settleShapes } from '../../src/data/shapes.js';
import type { ValueInfo } from '../../src/providers/provider.js';

const symbol = fc.constantFrom('batch', 'seq', 'toString', '__proto__', 'a b');
const dim = fc.oneof(fc.integer({ min: 1, max: 5 }), symbol, fc.constantFrom('', -1));
const inputs: fc.Arbitrary<ValueInfo[]> = fc
  .array(fc.array(dim, { maxLength: 4 }), { minLength: 1, maxLength: 4 })
  .map((all) => all.map((dims, index) => ({ name: `in${index}`, elemType: 'f32', dims })));
const isSymbol = (dim: number | string) => typeof dim === 'string' && dim !== '';
const symbolsOf = (values: readonly ValueInfo[]) =>
  new Set(values.flatMap(({ dims }) => dims.filter(isSymbol)));
const RUNS = { numRuns: 200, seed: 14 };

test('a free dimension gets the size of its symbol, else of *, else 1, and a note lists the default sizes', () => {
  fc.assert(
    fc.property(inputs, fc.dictionary(symbol, fc.nat(9)), fc.option(fc.nat(9)), (values, sizes, rest) => {
      const symbols = symbolsOf(values);
      const given = Object.fromEntries(Object.entries(sizes).filter(([name]) => symbols.has(name)));
      const dims = rest === null ? given : { ...given, '*': rest };
      const settled = settleShapes(values, { dims });
      const named = new Map(Object.entries(given));
      const expected = ({ dims }: ValueInfo) =>
        dims.map((dim) =>
          typeof dim === 'number' && dim >= 0 ? dim : (named.get(String(dim)) ?? rest ?? 1),
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
