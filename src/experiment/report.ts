// The report of an experiment, from its runs.

import { integer } from '../base/plural.js';
import { VERSION } from '../base/version.js';
import { countClasses } from '../finetune/count-classes.js';
import type { FinetuneHost } from '../finetune/finetune.js';
import { fewSamplesNotes } from '../finetune/notes.js';
import { resolveSettings } from '../train/trainer-options.js';
import { INITIAL_RULE } from './initial-weights.js';
import type { Experiment } from './prepare.js';
import { EXPERIMENT_SCHEMA, type ExperimentReport, type ExperimentRun } from './report-schema.js';
import { activationResults, baselineOf, concludeExperiment, testedIn } from './results.js';
import type { TrainingFacts } from './training-facts.js';

/** Parts of a report that do not follow from its runs. */
type Facts = Omit<
  ExperimentReport,
  'runs' | 'missing' | 'baseline' | 'results' | 'conclusion' | 'notes' | 'seconds'
>;

/** Facts of a report that follow from neither the experiment nor its runs. */
export interface ReportOptions {
  readonly host: FinetuneHost;
  /** The part of the runs that the report is for. */
  readonly shard?: ExperimentReport['shard'] | undefined;
  readonly training: TrainingFacts;
}

/** Returns the report of an experiment, whose runs may be a part of all. */
export function experimentReport(
  experiment: Experiment,
  runs: readonly ExperimentRun[],
  { host, shard = null, training }: ReportOptions,
): ExperimentReport {
  const { model, architecture, parts, curve, activations, gains, options } = experiment;
  return reportOf(
    {
      schema: EXPERIMENT_SCHEMA,
      created: new Date().toISOString(),
      tool: { name: 'onnx-mish', version: VERSION },
      hosts: [{ ...host, onnxruntime: options.provider.version }],
      digest: experiment.digest,
      shard,
      model: model.name,
      sites: architecture.sites.map(({ label }) => label),
      kept: architecture.kept.map(({ label, why }) => ({ label, why })),
      data: {
        source: experiment.source,
        train: parts.train.count,
        test: parts.test.count,
        testFrom: parts.testFrom,
        curve: curve.count,
        classes: countClasses(parts.train.targets, parts.train.count, experiment.settings),
      },
      settings: describeSettings(experiment, training),
      initial: {
        rule: INITIAL_RULE,
        gains: activations.map((activation) => ({ activation, gain: gains.get(activation) ?? 1 })),
        weights: training.weights,
        kept: [...training.kept],
      },
      warnings: [...experiment.warnings, ...training.warnings],
      remarks: [...training.remarks],
    },
    runs,
  );
}

/** Returns a report with the results of its runs. */
export function reportOf(facts: Facts, given: readonly ExperimentRun[]): ExperimentReport {
  const { activations, seeds } = facts.settings;
  const keys = seeds.flatMap((seed) => activations.map((activation) => ({ activation, seed })));
  const find = ({ activation, seed }: (typeof keys)[number]) =>
    given.find((run) => run.activation === activation && run.seed === seed);
  const runs = keys.flatMap((key) => find(key) ?? []);
  const missing = keys.filter((key) => find(key) === undefined);
  const results = activationResults(runs, activations);
  return {
    ...facts,
    runs,
    missing,
    results,
    baseline: baselineOf(activations),
    conclusion: concludeExperiment({ ...facts, runs, missing }, results),
    notes: notesOn(facts, runs),
    seconds: runs.reduce((sum, { seconds }) => sum + seconds, 0),
  };
}

function notesOn({ data, settings, kept }: Facts, runs: readonly ExperimentRun[]): string[] {
  const notes: string[] = [];
  const comparisons = settings.activations.length - 1;
  if (settings.seeds.length > 1 && comparisons > 1)
    notes.push(
      `each interval covers one comparison; of ${comparisons}, one misses more often than in 5 % of cases`,
    );
  if (settings.seeds.length > 1)
    notes.push('the intervals cover the variation between trainings, not another choice of test samples');
  notes.push(...fewSamplesNotes(testedIn(runs, data)));
  const sizes = runs.flatMap(({ landscape }) =>
    landscape ? [[landscape.points, landscape.span].join()] : [],
  );
  if (new Set(sizes).size > 1)
    notes.push('the loss landscapes have different sizes, so that their roughness cannot be compared');
  if (kept.length > 0)
    notes.push(
      `${kept.length === 1 ? 'an activation stays as it is' : `${integer(kept.length)} activations stay as they are`} in all runs, because not every activation can stand there`,
    );
  return notes;
}

function describeSettings(
  { settings, activations, seeds, batchNorm, options }: Experiment,
  { output, batch }: TrainingFacts,
): ExperimentReport['settings'] {
  const { loss, labelSmoothing, rate, schedule, epochs, augment, optimizer } = resolveSettings(settings);
  return {
    activations: [...activations],
    seeds: [...seeds],
    batchNorm,
    loss,
    labelSmoothing,
    rate,
    schedule,
    epochs,
    augment: [...augment],
    output,
    batch,
    optimizer: optimizer.kind,
    warmUp: options.warmUp ?? 0,
    weightDecay: optimizer.weightDecay ?? null,
  };
}
