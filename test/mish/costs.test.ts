import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CPU_COST, costOf, EXP_BESIDE_APPROXIMATE, rangeText } from '../../src/mish/costs.js';

const text = (path: string) =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8').replaceAll(/\s+/g, ' ');

test('the documents have the same ranges', () => {
  const sentence = `a network ${rangeText(CPU_COST.softplus)} times slower, \`--target cpu\` ${rangeText(CPU_COST.exp)} times`;
  for (const path of ['README.md', 'docs/benchmarks.md']) expect(text(path)).toContain(sentence);
});

test('the ranges are those of the networks that were measured', () => {
  const [, table = ''] = readFileSync(new URL('../bench/forms.md', import.meta.url), 'utf8').split(
    'Whole networks',
  );
  const rows = table.matchAll(
    /^\| \w[^|]*\| \d+ \| ([\d.]+)(?: to ([\d.]+))? \| ([\d.]+)(?: to ([\d.]+))? \|$/gm,
  );
  const found = [...rows].map(([, a, b = a, c, d = c]) => [a, b, c, d].map(Number));
  expect(found).toHaveLength(7);
  const column = (at: number) => found.map((row) => row[at] ?? Number.NaN);
  for (const [form, least, most] of [
    ['softplus', 0, 1],
    ['exp', 2, 3],
  ] as const) {
    const [smallest, largest] = [Math.min(...column(least)), Math.max(...column(most))];
    expect(CPU_COST[form][0]).toBeLessThanOrEqual(smallest);
    expect(CPU_COST[form][0]).toBeGreaterThan(smallest - 0.1);
    expect(CPU_COST[form][1]).toBeCloseTo(largest, 1);
  }
});

test('the ranges of approximate forms are those of the table in the documents', () => {
  const [, table = ''] = text('docs/what-it-costs.md').split('## Approximate forms, whole networks');
  const cells = [...table.matchAll(/\| \w[\w .-]* \| \d+ \|((?: [\d.]+ \|){4})/g)];
  const rows = cells.map(([, row = '']) => [...row.matchAll(/[\d.]+/g)].map(Number));
  expect(rows).toHaveLength(4);
  const spread = (at: number) => {
    const column = rows.map((row) => row[at] ?? Number.NaN);
    return [Math.min(...column), Math.max(...column)];
  };
  const ranges = [EXP_BESIDE_APPROXIMATE, CPU_COST.tanh, CPU_COST.sigmoid, CPU_COST.hard];
  for (const [at, range] of ranges.entries()) expect(range).toEqual(spread(at));
});

test('another activation than Mish, and a model without sites, have no figure', () => {
  expect(costOf({ to: 'elu', form: 'softplus', sites: [] })).toBeUndefined();
  expect(costOf({ to: 'mish', form: 'softplus', sites: [] })).toBeUndefined();
});
