import { stopIfAborted } from '../base/abort.js';
import { ownProperty } from '../base/own.js';
import type { Dataset, Feeds } from '../data/dataset.js';
import { labelledPerRun, labelsOf } from '../data/labels.js';
import { type AccuracyWithIntervals, withIntervals } from '../metrics/accuracy.js';
import { type Drift, type DriftMeter, driftMeter } from '../metrics/drift.js';
import { accuracyDifference, type LabelMeters, labelMeters } from '../metrics/label-meters.js';
import type { Session } from '../providers/provider.js';
import type { Tensors } from '../providers/tensor.js';

/** A pair of values: of the original and of the swapped model. */
export interface Both<T> {
  readonly original: T;
  readonly swapped: T;
}

/** Comparisons of a provider's outputs with the other model, the CPU, the expected outputs and the labels. */
export interface OutputComparison {
  /** The swapped model's outputs against the original's. */
  readonly drift: Drift[];
  /** Each model's outputs against its outputs on the reference provider; null without a reference. */
  readonly parity: { original: Drift[]; swapped: Drift[] } | null;
  /** The original's outputs against the expected outputs of the data; null without expected outputs. */
  readonly expected: Drift[] | null;
  /** Accuracy of both models by the labels, and their paired difference; null without labels. */
  readonly accuracy:
    | (Both<AccuracyWithIntervals> & {
        readonly output: string;
        /** The score above which a sample or a place counts as class 1; null for an output with a score for each class. */
        readonly threshold: number | null;
        readonly difference: ReturnType<typeof accuracyDifference>;
      })
    | null;
}

/**
 * Runs both models on all feeds and compares their outputs. Outputs of earlier runs are not stored, so memory
 * does not grow with the number of samples. `reference`, the same models on the CPU, therefore runs again for
 * every provider. Throws `run-failed`, `aborted`, and `bad-data` for labels that do not fit the outputs.
 */
export async function compare(
  models: Both<Session>,
  reference: Both<Session> | undefined,
  dataset: Dataset<Feeds>,
  signal: AbortSignal | undefined,
): Promise<OutputComparison> {
  const { feeds, expected } = dataset;
  const labels = labelsOf(dataset);
  const outputs = models.original.outputs.map(({ name }) => name);
  const drift = outputMeters(outputs);
  const expectedMeters = outputMeters(
    outputs.filter((name) => expected?.some((run) => ownProperty(run, name) !== undefined)),
  );
  const parity = {
    original: outputMeters(outputs),
    swapped: outputMeters(models.swapped.outputs.map(({ name }) => name)),
  };
  let accuracy: LabelMeters | undefined;
  let run = -1;
  for await (const feed of feeds) {
    run++;
    stopIfAborted(signal);
    const original = await models.original.run(feed);
    const swapped = await models.swapped.run(feed);
    drift.add(original, swapped);
    if (expected !== undefined) expectedMeters.addGiven(expected[run] ?? {}, original);
    if (reference !== undefined) {
      parity.original.add(await reference.original.run(feed), original);
      parity.swapped.add(await reference.swapped.run(feed), swapped);
    }
    if (labels === undefined) continue;
    accuracy ??= labelMeters(outputs, original, labels, { samples: labelledPerRun(labels, feeds.length) });
    accuracy.add(original, swapped);
  }
  return {
    drift: drift.results(),
    parity:
      reference === undefined
        ? null
        : { original: parity.original.results(), swapped: parity.swapped.results() },
    expected: expected === undefined ? null : expectedMeters.results(),
    accuracy:
      accuracy === undefined
        ? null
        : {
            output: accuracy.output,
            threshold: accuracy.threshold(),
            original: withIntervals(accuracy.original.result()),
            swapped: withIntervals(accuracy.swapped.result()),
            difference: accuracyDifference(accuracy),
          },
  };
}

function outputMeters(names: readonly string[]) {
  const meters = new Map<string, DriftMeter>(names.map((name) => [name, driftMeter(name)]));
  return {
    add(reference: Tensors, got: Tensors): void {
      for (const [name, meter] of meters) meter.add(ownProperty(reference, name), ownProperty(got, name));
    },
    /** Adds the outputs that the reference has. */
    addGiven(reference: Tensors, got: Tensors): void {
      for (const [name, meter] of meters) {
        const wanted = ownProperty(reference, name);
        if (wanted !== undefined) meter.add(wanted, ownProperty(got, name));
      }
    },
    results: () => [...meters.values()].map((meter) => meter.result()),
  };
}
