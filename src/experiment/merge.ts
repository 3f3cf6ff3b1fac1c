// Merges reports of parts of an experiment.
import { OnnxMishError } from '../base/error.js';
import { activationOrder } from './architecture.js';
import { reportOf } from './report.js';
import type { ExperimentReport, ExperimentRun } from './report-schema.js';

/** A report with the name of its file. */
export interface NamedReport {
  readonly name: string;
  readonly report: ExperimentReport;
}

/**
 * Merges reports of one experiment; their order does not matter. A run that several reports have counts once. Throws `bad-usage` for
 * reports of different experiments, and for a run with different results.
 *
 * @example
 * import { readFile } from 'node:fs/promises';
 * import { mergeExperiments, parseExperimentReport } from 'onnx-mish/experiment';
 *
 * const names = ['result.1-of-2.json', 'result.2-of-2.json'];
 * const read = async (name: string) => parseExperimentReport(JSON.parse(await readFile(name, 'utf8')), name);
 * const parts = await Promise.all(names.map(async (name) => ({ name, report: await read(name) })));
 * console.log(mergeExperiments(parts).conclusion);
 */
export function mergeExperiments(given: readonly NamedReport[]): ExperimentReport {
  const [first, ...others] = given.toSorted((a, b) =>
    compare(JSON.stringify(a.report), JSON.stringify(b.report)),
  );
  if (first === undefined)
    throw new OnnxMishError('bad-usage', 'no report was given', { fix: 'Give reports of an experiment' });
  const other = others.find(({ report }) => report.digest !== first.report.digest);
  if (other !== undefined) {
    throw new OnnxMishError('bad-usage', `the report is of another experiment than ${first.name}`, {
      where: other.name,
      fix: 'Give reports with the same model, data and settings',
    });
  }
  const runs = mergeRuns([first, ...others]);
  const { report } = first;
  const reports = [first, ...others].map((one) => one.report);
  const union = <T>(of: (report: ExperimentReport) => readonly T[]) => [
    ...new Map(reports.flatMap(of).map((one) => [JSON.stringify(one), one])).values(),
  ];
  return reportOf(
    {
      ...report,
      created: reports.map(({ created }) => created).reduce((a, b) => (a > b ? a : b)),
      shard: others.length === 0 ? report.shard : null,
      hosts: union(({ hosts }) => hosts),
      kept: union(({ kept }) => kept),
      settings: {
        ...report.settings,
        activations: activationOrder(reports.map(({ settings }) => settings.activations)),
        seeds: union(({ settings }) => settings.seeds).toSorted((a, b) => a - b),
      },
      initial: { ...report.initial, gains: union(({ initial }) => initial.gains) },
      warnings: union(({ warnings }) => warnings),
      remarks: union(({ remarks }) => remarks),
    },
    runs,
  );
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function mergeRuns(reports: readonly NamedReport[]): ExperimentRun[] {
  const runs = new Map<string, { readonly name: string; readonly run: ExperimentRun }>();
  for (const { name, report } of reports) {
    for (const run of report.runs) {
      const key = JSON.stringify([run.activation, run.seed]);
      const known = runs.get(key);
      if (known !== undefined && resultOf(known.run) !== resultOf(run)) {
        throw new OnnxMishError(
          'bad-usage',
          `the run of ${run.activation} with seed ${run.seed} has another result than in ${known.name}`,
          {
            where: name,
            fix: 'Leave out one of the two reports; machines of different kinds round differently',
          },
        );
      }
      if (known === undefined || extras(run) > extras(known.run)) runs.set(key, { name, run });
    }
  }
  return [...runs.values()].map(({ run }) => run);
}

/** Returns the result of a run as text, without times and without what a run may lack. */
function resultOf({ activation, seed, epochs, test, diverged }: ExperimentRun): string {
  const timeless = epochs.map(({ epoch, loss, accuracy, test, rate }) => [epoch, loss, accuracy, test, rate]);
  return JSON.stringify([activation, seed, timeless, test, diverged]);
}

/** Counts the optional measures of a run. */
const extras = ({ units, landscape, derivative }: ExperimentRun) =>
  [units, landscape, derivative].filter((one) => one !== undefined && one !== null).length;
