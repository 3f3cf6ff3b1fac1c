import { fixedPercent } from '../base/fixed-percent.js';
import { integer, plural } from '../base/plural.js';
import type { ExperimentReport, ExperimentResult, ExperimentRun } from '../experiment/report-schema.js';
import { amountText } from '../finetune/compare-arms.js';
import { MAX_UNIT_SAMPLES } from '../finetune/limits.js';
import { activationLabel } from '../mish/activations.js';
import { clean as cleanText } from './clean.js';
import { figure, joinSections, percent, safeText } from './figures.js';
import { accuracyText, durationText } from './finetune-figures.js';
import { plainTable, type TerminalOptions } from './terminal.js';

/**
 * Formats the report of an experiment for a terminal.
 *
 * @example
 * import { readFile } from 'node:fs/promises';
 * import { parseExperimentReport } from 'onnx-mish/experiment';
 * import { renderExperiment } from 'onnx-mish/report';
 *
 * console.log(renderExperiment(parseExperimentReport(JSON.parse(await readFile('experiment.json', 'utf8')))));
 */
export function renderExperiment(
  report: ExperimentReport,
  { clean = cleanText }: Pick<TerminalOptions, 'clean'> = {},
): string {
  const safe = safeText(report, clean);
  const sections = [
    safe.warnings.map((warning) => `WARNING: ${warning}`),
    [safe.conclusion],
    [describeExchange(safe), describeExperimentData(safe), describeRuns(safe)],
    [plainTable(RESULT_HEAD, resultRows(safe), 1), ...LEGEND, ...(hasLandscape(safe) ? [ROUGHNESS] : [])],
    [plainTable(RUN_HEAD, runRows(safe), 2)],
    missingLines(safe),
    [...safe.remarks.map((remark) => `${remark}.`), safe.initial.rule],
    safe.notes.map((note) => `note: ${note}`),
  ];
  return joinSections(sections);
}

/** Maximum number of missing runs that are listed. */
const MAX_MISSING = 20;

const LEGEND = [
  'Mean ± standard deviation over the seeds, on the test part. Difference: mean of the paired differences, with its 95 % interval.',
  `Never positive: channels or features whose input to the activation was never positive on at most ${plural(MAX_UNIT_SAMPLES, 'test sample')}; with ReLU such units are dead.`,
];
/** Explanation of the column with the roughness of loss landscapes. */
const ROUGHNESS =
  'Roughness: of the loss landscape of the first seed, the share of the ups and downs of the loss’s logarithm, along rows and columns, that a single valley would not have.';
const hasLandscape = ({ results }: ExperimentReport) => results.some(({ roughness }) => roughness !== null);

/** Returns what was exchanged: `ReLU, Mish at 19 sites; 1 activation stays as it is.` */
export function describeExchange({ settings, sites, kept }: ExperimentReport): string {
  const names = settings.activations.map(activationLabel).join(', ');
  const rest =
    kept.length === 0 ? '' : `; ${plural(kept.length, 'activation')} ${kept.length === 1 ? 'stays' : 'stay'}`;
  return `${names} at ${plural(sites.length, 'site')}${rest}.`;
}

/** Returns the numbers of samples. */
export function describeExperimentData({ data }: Pick<ExperimentReport, 'data'>): string {
  const from = data.testFrom === 'file' ? 'of a separate file' : 'split from the data';
  const classes = data.classes === null ? '' : `, ${plural(data.classes, 'class', 'classes')}`;
  return `${plural(data.train, 'training sample')}, ${integer(data.test)} for the test (${from})${classes}.`;
}

/** Returns the settings of the runs. */
export function describeRuns({ settings, runs, seconds }: ExperimentReport): string {
  const { loss, optimizer, rate, schedule, epochs, batch, batchNorm, seeds, augment } = settings;
  const more = augment.length === 0 ? '' : `, ${augment.join(' and ')}`;
  const norm = batchNorm === 'insert' ? ', batch normalisation put behind the convolutions' : '';
  return `${plural(epochs, 'epoch')} of batches of ${batch}, ${loss}, ${optimizer} at ${figure(rate)} (${schedule})${more}${norm}; ${plural(seeds.length, 'seed')}, ${plural(runs.length, 'run')}, ${durationText(seconds)} of training.`;
}

export const RESULT_HEAD = [
  ...['activation', 'runs', 'accuracy', 'loss', 'difference', '95 % interval', 'never positive', 'epoch'],
  'roughness',
];

/** Returns a row for each activation. */
export function resultRows({ results, baseline }: ExperimentReport): string[][] {
  return results.map(
    ({ activation, runs, diverged, accuracy, loss, difference, neverPositive, epochSeconds, roughness }) => {
      const measure = results.some((one) => one.accuracy !== null) ? 'accuracy' : 'loss';
      const ends =
        difference?.low == null || difference.high == null ? undefined : [difference.low, difference.high];
      return [
        activationLabel(activation),
        diverged === 0 ? String(runs) : `${integer(runs)} (${integer(diverged)} diverged)`,
        spreadText(accuracy, fixedPercent, ' %'),
        spreadText(loss, (value) => figure(value, 4), ''),
        difference === null
          ? activation === baseline
            ? 'baseline'
            : '–'
          : amountText(measure, difference.value),
        ends === undefined ? '–' : ends.map((end) => amountText(measure, end)).join(' to '),
        percent(neverPositive),
        epochSeconds === null ? '–' : durationText(epochSeconds),
        figure(roughness),
      ];
    },
  );
}

function spreadText(
  spread: ExperimentResult['accuracy'],
  format: (value: number) => string,
  unit: string,
): string {
  if (spread === null) return '–';
  const { mean, deviation } = spread;
  return `${format(mean)}${deviation === null ? '' : ` ± ${format(deviation)}`}${unit}`;
}

export const RUN_HEAD = ['activation', 'seed', 'accuracy', 'loss', 'training loss', 'time'];

/** Returns a row for each run. */
export function runRows({ runs }: Pick<ExperimentReport, 'runs'>): string[][] {
  return runs.map(({ activation, seed, test, epochs, diverged, seconds }) => [
    activationLabel(activation),
    String(seed),
    diverged === null ? accuracyText(test?.accuracy ?? null) : 'diverged',
    figure(test?.loss, 4),
    lossCourse(epochs),
    durationText(seconds),
  ]);
}

/** Returns the training loss after the first, the middle and the last epoch. */
function lossCourse(epochs: ExperimentRun['epochs']): string {
  const places = [0, Math.floor((epochs.length - 1) / 2), epochs.length - 1];
  const losses = [...new Set(places)].flatMap((at) => epochs[at]?.loss ?? []);
  return losses.map((loss) => figure(loss)).join(' → ');
}

/** Returns the missing runs in a sentence; none if all are there. */
export function missingLines({ missing }: Pick<ExperimentReport, 'missing'>): string[] {
  if (missing.length === 0) return [];
  const names = missing
    .slice(0, MAX_MISSING)
    .map(({ activation, seed }) => `${activationLabel(activation)}, seed ${seed}`);
  const more = missing.length > MAX_MISSING ? ` and ${integer(missing.length - MAX_MISSING)} more` : '';
  return [`Missing runs: ${names.join('; ')}${more}.`];
}
