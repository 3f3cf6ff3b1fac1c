import { describe, expect, test } from 'vitest';
import { limitText, limitVerdicts, parseBudget } from '../../../src/calibrate/select/budget.js';
import type { Degradation } from '../../../src/calibrate/select/degradation.js';

const HARM: Degradation = {
  sqnr: 20,
  maxAbs: 0.5,
  cosine: 0.99,
  agreement: 0.9,
  top1Drop: 1,
  broken: 0,
  problem: null,
};

test.each([
  ['agreement>=0.99', { measure: 'agreement', limit: 0.99 }],
  [' sqnr >= 30 ', { measure: 'sqnr', limit: 30 }],
  ['sqnr>=-3', { measure: 'sqnr', limit: -3 }],
  ['cosine>=1', { measure: 'cosine', limit: 1 }],
  ['max-abs<=1e-3', { measure: 'max-abs', limit: 1e-3 }],
  ['top1-drop<=0', { measure: 'top1-drop', limit: 0 }],
])('%j', (text, limit) => {
  const [parsed] = parseBudget([text]);
  expect(parsed).toEqual(limit);
  if (parsed !== undefined) expect(parseBudget([limitText(parsed)])).toEqual([limit]);
});

test.each([
  ['', /no >= or <=/],
  ['agreement', /no >= or <=/],
  ['agreement=0.9', /wrong direction/],
  ['agreement<=0.9', /wrong direction.*Write agreement>=0.9$/],
  ['max-abs>=1', /wrong direction.*Write max-abs<=1$/],
  ['agreement>=99', /share from 0 to 1/],
  ['agreement>=', /share from 0 to 1/],
  ['agreement>=0.9.9', /share/],
  ['sqnr>=Infinity', /decibels/],
  ['sqnr>=30dB', /decibels/],
  ['max-abs<=-1', /at least 0/],
  ['top1-drop<=500', /percentage points/],
  ['constructor>=1', /'constructor' is not a measure.*agreement>=0.99, sqnr>=30/],
])('%j is refused', (text, message) => {
  expect(() => parseBudget([text])).toThrow(message);
});

test('an empty budget is refused', () => {
  expect(() => parseBudget([])).toThrow('the budget is empty');
});

describe('a limit', () => {
  const kept = (text: string, harm: Partial<Degradation> = {}) =>
    limitVerdicts(parseBudget([text]), { ...HARM, ...harm })[0]?.kept;

  test('holds for an equal value', () => {
    for (const text of ['sqnr>=20', 'max-abs<=0.5', 'cosine>=0.99', 'agreement>=0.9', 'top1-drop<=1'])
      expect(kept(text), text).toBe(true);
    for (const text of ['sqnr>=20.1', 'max-abs<=0.49', 'cosine>=0.991', 'agreement>=0.91', 'top1-drop<=0.9'])
      expect(kept(text), text).toBe(false);
  });

  test('of SQNR holds for identical outputs, and fails for an unknown SQNR', () => {
    expect(kept('sqnr>=1000', { sqnr: null, maxAbs: 0 })).toBe(true);
    expect(kept('sqnr>=-1000', { sqnr: null, maxAbs: 1 })).toBe(false);
  });

  test('fails for NaN and for figures that could not be measured', () => {
    expect(kept('max-abs<=1', { broken: 1 })).toBe(false);
    expect(kept('max-abs<=1', { problem: 'it does not run' })).toBe(false);
    expect(kept('agreement>=0', { agreement: null })).toBe(false);
    expect(kept('top1-drop<=100', { top1Drop: null })).toBe(false);
  });
});
