import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clean, cleanJson } from '../../src/cli/text/text.js';
import { casesOf } from '../support/heavy.js';

/** What a terminal acts on, by its general category. */
const ACTS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

test('characters that control a terminal are replaced, and no others', () => {
  for (let code = 0; code <= 0x10ffff; code++) {
    const character = String.fromCodePoint(code);
    if (!ACTS.test(character)) {
      if (clean(character) !== character) throw new Error(`U+${code.toString(16)} was touched`);
    } else if (!/^(\\u[0-9a-f]{4})+$/.test(clean(character)))
      throw new Error(`U+${code.toString(16)} is left`);
  }
  expect(clean('a\u2028b\u2029c\u061cd\u202e\u{e0041}')).toBe(
    'a\\u2028b\\u2029c\\u061cd\\u202e\\udb40\\udc41',
  );
});

test('JSON escapes the same characters and keeps their values', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
      const json = cleanJson(JSON.stringify(value, null, 2));
      expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(value)));
      expect(ACTS.test(json.replaceAll('\n', ''))).toBe(false);
    }),
    { seed: 14, numRuns: casesOf(200) },
  );
});
