import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fixedPercent } from '../../src/base/fixed-percent.js';
import { pointsText } from '../../src/metrics/paired.js';
import {
  accuracyWithInterval,
  figure,
  mapText,
  percent,
  printable,
  short,
  tellApart,
  verdictText,
} from '../../src/render/figures.js';
import { writtenActivation } from '../../src/render/ranking-figures.js';

test('a long name loses its middle, and no character is split', () => {
  expect(short('abc', 3)).toBe('abc');
  expect(short('abcdefgh', 5)).toBe('ab…gh');
  expect(short('😀'.repeat(9), 5)).toBe('😀😀…😀😀');
});

test('names in a column keep the parts that differ', () => {
  expect(tellApart(['net/a/relu', 'net/b/relu'], 8)).toEqual(['…a…', '…b…']);
  expect(tellApart(['net/a/relu', 'net/b/relu'], 20)).toEqual(['net/a/relu', 'net/b/relu']);
  expect(tellApart(['same/name', 'same/name'], 4)).toEqual(['…n…e', '…n…e'].map(() => expect.any(String)));
  expect(tellApart(['abcdefgh'], 5)).toEqual(['ab…gh']);
  expect(tellApart([], 5)).toEqual([]);
});

test('characters that cannot be shown are escaped', () => {
  expect(printable('a\u0000b\u202ec\ud800d\ufffe😀')).toBe('a\\u0000b\\u202ec\\ud800d\\ufffe😀');
});

test('mapText changes keys, too', () => {
  const value = mapText(JSON.parse('{"a":["x",1,null],"__proto__":{"y":"z"}}'), (text) => `<${text}>`);
  expect(JSON.stringify(value)).toBe('{"<a>":["<x>",1,null],"<__proto__>":{"<y>":"<z>"}}');
});

test('a negative figure has the minus of signed differences, an exponent a hyphen', () => {
  for (const [value, text] of [
    [-0.5, '−0.5'],
    [-1234567, '−1.2e6'],
    [-0.00012, '−1.2e-4'],
    [12, '12'],
    [0, '0'],
  ] as const)
    expect(figure(value)).toBe(text);
});

test('only a whole share is 100 %', () => {
  const share = fc.integer({ min: 1, max: 100_000 }).chain((of) => fc.tuple(fc.nat(of), fc.constant(of)));
  fc.assert(fc.property(share, ([part, of]) => (percent(part / of) === '100 %') === (part === of)));
  expect([0.5, 0.9997, 1, 2.5, null].map(percent)).toEqual(['50 %', '99.97 %', '100 %', '250 %', '–']);
});

test('a share of fixed digits is 0 % or 100 % only if it is 0 or 1, and is rounded to its last digit', () => {
  const share = fc.integer({ min: 1, max: 10_000_000 }).chain((of) => fc.tuple(fc.nat(of), fc.constant(of)));
  fc.assert(
    fc.property(share, fc.integer({ min: 1, max: 2 }), ([part, of], digits) => {
      const text = fixedPercent(part / of, digits);
      expect([Number(text) === 0, Number(text) === 100]).toEqual([part === 0, part === of]);
      expect(Math.abs(Number(text) - (100 * part) / of)).toBeLessThanOrEqual(0.501 / 10 ** digits);
      expect(text.split('.')[1]?.length).toBeGreaterThanOrEqual(digits);
    }),
    { seed: 4 },
  );
  expect([0.04999999999999716 - 0.05, 1e-17].map(pointsText)).toEqual(['0.00', '0.00']);
  expect(accuracyWithInterval(0.99999, 100_000)).toBe('99.999 % (99.99 to 99.9998)');
});

test('the value of a verdict does not look like a limit that it differs from', () => {
  const positive = fc.double({ min: 1e-7, max: 1e7, noNaN: true });
  const near = fc.tuple(positive, fc.integer({ min: -9, max: -2 }), fc.constantFrom(-1, 1));
  fc.assert(
    fc.property(near, ([limit, exponent, sign]) => {
      const value = limit * (1 + sign * 10 ** exponent);
      const verdict = { provider: 'cpu', threshold: 'maxAbs', limit, value, passed: sign < 0, binding: true };
      const [, left = '', right = ''] = /^maxAbs: (.*) [≤>] (.*)$/.exec(verdictText(verdict)) ?? [];
      expect(Number(left) > Number(right)).toBe(value > limit);
      expect(verdictText(verdict).includes('>')).toBe(value > limit);
      expect(left === right).toBe(value === limit);
    }),
    { seed: 9, numRuns: 300 },
  );
});

test('the form of Mish is not told of another activation', () => {
  const mish = { form: 'exp', beta: 1 } as const;
  expect(writtenActivation(mish)).toBe('Mish in the exp form');
  expect(writtenActivation({ ...mish, to: 'swish', beta: 2 })).toBe('Swish, β = 2');
  expect(writtenActivation({ ...mish, to: 'hardswish' })).toBe('HardSwish');
});
