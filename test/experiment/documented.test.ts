// The figures of docs/experiment.md, docs/landscape.md and docs/experiment-claims.md beside the raw results that are committed.
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { mergeExperiments } from '../../src/experiment/merge.js';
import { type ExperimentRun, parseExperimentReport } from '../../src/experiment/report-schema.js';

const read = (path: string) => readFileSync(new URL(`../../docs/${path}`, import.meta.url), 'utf8');
const reportOf = (file: string) => parseExperimentReport(JSON.parse(read(file)), file);
const LABELS: Readonly<Record<string, string>> = {
  ...{ ReLU: 'relu', LeakyReLU: 'leakyrelu', Swish: 'swish', Mish: 'mish' },
};
/** Student's t for 95 %, two-sided, by degrees of freedom: from a printed table. */
const STUDENT: Readonly<Record<number, number>> = { 2: 4.302653, 4: 2.776445 };

/** Returns the tables of a text: each row by the names of its columns. */
function tablesOf(text: string): Map<string, string>[][] {
  return [...text.matchAll(/(?:^\|.*\|\n)+/gm)].map(([table]) => {
    const [head = [], , ...rows] = table
      .trim()
      .split('\n')
      .map((line) => line.slice(1, -1).split('|').map((cell) => cell.trim())); // biome-ignore format: one split
    return rows.map((row) => new Map(row.map((cell, at) => [head[at] ?? '', cell])));
  });
}

/** Returns the numbers of a cell with the place of their last digit. */
const numbersIn = (cell: string) =>
  [...cell.replaceAll('−', '-').matchAll(/[-+]?\d+(?:\.(\d+))?/g)].map(([text, decimals = '']) => ({
    printed: Number(text),
    unit: 10 ** -decimals.length,
  }));

/** Returns whether the numbers of a cell are exact ones, to half of the last digit. */
function isRounded(cell: string, exact: readonly number[]): boolean {
  const found = numbersIn(cell);
  return (
    found.length === exact.length &&
    found.every(({ printed, unit }, at) => Math.abs(printed - (exact[at] ?? Number.NaN)) < 0.5001 * unit)
  );
}

function expectRounded(cell: string, exact: readonly number[], where: string): void {
  expect(isRounded(cell, exact), `${where}: ${cell} for ${exact.join(', ')}`).toBe(true);
}

const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const deviationOf = (values: readonly number[]) =>
  Math.sqrt(values.reduce((sum, value) => sum + (value - meanOf(values)) ** 2, 0) / (values.length - 1));

/** Returns mean, and the ends of Student's interval. */
function intervalOf(values: readonly number[]): [number, number, number] {
  const centre = meanOf(values);
  const half = ((STUDENT[values.length - 1] ?? Number.NaN) * deviationOf(values)) / Math.sqrt(values.length);
  return [centre, centre - half, centre + half];
}

/** The columns of a table with an activation in each row, from the runs of the activation and of ReLU. */
const COLUMNS: Readonly<Record<string, (own: ExperimentRun[], relu: ExperimentRun[]) => number[]>> = {
  seeds: (own) => [own.length],
  'test accuracy': (own) => spread(own.map(({ test }) => 100 * (test?.accuracy ?? Number.NaN))),
  'test loss': (own) => spread(own.map(({ test }) => test?.loss ?? Number.NaN)),
  'training loss': (own) => [meanOf(own.map(({ epochs }) => epochs.at(-1)?.loss ?? Number.NaN))],
  'difference from ReLU, points': (own, relu) => intervalOf(differences(own, relu)).slice(0, 1),
  '95 % interval': (own, relu) => intervalOf(differences(own, relu)).slice(1),
  roughness: (own) => [own[0]?.landscape?.roughness ?? Number.NaN],
};
const spread = (values: readonly number[]) => [meanOf(values), deviationOf(values)];
const differences = (own: ExperimentRun[], relu: ExperimentRun[]) =>
  own.map(({ seed, test }) => {
    const beside = relu.find((run) => run.seed === seed)?.test?.accuracy ?? Number.NaN;
    return 100 * ((test?.accuracy ?? Number.NaN) - beside);
  });

const sections = read('experiment.md').split(/^## /m);
const withTable = sections.flatMap((text) => {
  const file = /docs\/(experiment\/[\w-]+-epochs\.json)/.exec(text)?.[1];
  return file !== undefined && text.includes('| test accuracy |') ? [{ file, text }] : [];
});

test.each(withTable)('the figures of $file are those of its runs', ({ file, text }) => {
  const { runs, missing } = reportOf(file);
  expect(missing).toEqual([]);
  const of = (label: string) => runs.filter(({ activation }) => activation === LABELS[label]);
  const relu = of('ReLU');
  const [rows = []] = tablesOf(text);
  expect(rows.map((row) => row.get('activation'))).toEqual(Object.keys(LABELS));
  for (const row of rows) {
    const own = of(row.get('activation') ?? '');
    for (const [name, cell] of row) {
      const exact = COLUMNS[name];
      if (exact !== undefined && cell !== '')
        expectRounded(cell, exact(own, relu), `${row.get('activation')}, ${name}`);
    }
  }
  const bySeed = /Mish minus ReLU by seed:\s+([^;]*?)\.\s/.exec(text)?.[1] ?? '';
  expectRounded(bySeed, differences(of('Mish'), relu), 'by seed');
});

test('three results have a table', () => expect(withTable).toHaveLength(3));

test('the table of landscapes is that of its report', () => {
  const { runs } = reportOf('experiment/cnn6-4-epochs.json');
  const [rows = []] = tablesOf(read('landscape.md'));
  for (const row of rows)
    for (const [label, cell] of row) {
      const { landscape } = runs.find(({ activation }) => activation === LABELS[label]) ?? {};
      if (landscape === undefined) continue;
      const losses = landscape.losses.flatMap((loss) => loss ?? []);
      const exact = { roughness: landscape.roughness ?? Number.NaN, 'lowest loss': Math.min(...losses), 'highest loss': Math.max(...losses) }; // biome-ignore format: one object
      expectRounded(cell, [exact[row.get('') as keyof typeof exact]], `${label}, ${row.get('')}`);
    }
  expect(rows).toHaveLength(3);
});

test.each(readdirSync(new URL('../../docs/experiment', import.meta.url)))(
  'the results in %s follow from its runs',
  (name) => {
    const report = reportOf(`experiment/${name}`);
    const { results, missing, baseline } = mergeExperiments([{ name, report }]);
    expect([results, missing, baseline]).toEqual([report.results, report.missing, report.baseline]);
  },
);

interface Claim {
  readonly rows: readonly (Readonly<Record<string, number>> & { readonly activation: string })[];
}

test('the tables of the smaller claims are those of their rows', () => {
  const claims: Claim[] = read('experiment-claims.jsonl').trim().split('\n').map((line) => JSON.parse(line)); // biome-ignore format: one expression
  const tables = tablesOf(read('experiment-claims.md'));
  expect(tables).toHaveLength(claims.length + 1);
  for (const rows of tables) {
    const [key = ''] = rows[0]?.keys() ?? [];
    // The same depths are in several tables: a table is of the rows that have its figures.
    const fits = ({ rows: all }: Claim) =>
      rows.every((row) => {
        const own = all.filter((one) => one[key] === Number(row.get(key)));
        return [...row].every(([label, cell]) => label === key || isRounded(cell, exactOf(own, label, cell)));
      });
    expect(claims.filter(fits), `${key}: ${JSON.stringify([...(rows[0] ?? [])])}`).toHaveLength(1);
  }
});

/** Returns the exact numbers of a cell of a table of claims. */
function exactOf(rows: Claim['rows'], label: string, cell: string): number[] {
  const values = (name: string, of: 'accuracy' | 'loss') =>
    rows.filter(({ activation }) => activation === LABELS[name]).map((row) => row[of] ?? Number.NaN);
  const [mish = '', other] = label.split(' − ');
  if (other !== undefined) {
    const beside = values(other, 'accuracy');
    return intervalOf(
      values(mish, 'accuracy').map((value, at) => 100 * (value - (beside[at] ?? Number.NaN))),
    );
  }
  if (!cell.includes('±')) return [meanOf(values(label, 'loss'))];
  return spread(values(label, 'accuracy').map((value) => 100 * value));
}
