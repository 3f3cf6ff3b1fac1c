import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  COVERED,
  differentiableIn,
  gradientPage,
  operatorsIn,
  REFUSED,
  WITHOUT_NATURE,
} from '../../generate/gradient-list.js';
import { BACKEND_TESTS } from '../../support/models.js';
import { NO_BACKEND_TESTS, needs } from '../../support/needs.js';

const page = readFileSync('docs/gradients.md', 'utf8');

/** Names the operators of a section of the page. */
const section = (title: string) =>
  [...(page.split(`## ${title}\n`)[1]?.split('\n## ')[0] ?? '').matchAll(/`(\w+)`[,\n]/g)].map(
    ([, name]) => name,
  );

test('the page lists the operators with a gradient rule, the refused, and those without a gradient', () => {
  expect(section('With a rule')).toEqual(COVERED);
  expect(section('Refused')).toEqual(REFUSED);
  expect(section('Without a gradient by nature')).toEqual(WITHOUT_NATURE);
});

test('an operator is on one list only', () => {
  const all = [...COVERED, ...REFUSED, ...WITHOUT_NATURE];
  expect(all.filter((name, at) => all.indexOf(name) !== at)).toEqual([]);
});

describe('ONNX’s backend tests', () => {
  needs(BACKEND_TESTS !== undefined, NO_BACKEND_TESTS);
  const tested = BACKEND_TESTS === undefined ? new Set<string>() : operatorsIn(BACKEND_TESTS);

  test('have no operator that the page does not list', () => {
    const listed = new Set([...COVERED, ...REFUSED, ...WITHOUT_NATURE]);
    expect([...tested].filter((name) => !listed.has(name))).toEqual([]);
  });

  test('have rules for at least 80 % of their differentiable operators', () => {
    const { covered, refused } = differentiableIn(tested);
    expect(covered.length / (covered.length + refused.length)).toBeGreaterThanOrEqual(0.8);
  });

  test('give the figures of the page', () => {
    expect(page).toBe(gradientPage(tested));
  });
});
