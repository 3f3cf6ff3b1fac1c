import { stopIfAborted } from '../base/abort.js';
import { OnnxMishError } from '../base/error.js';
import { own } from '../base/own.js';
import type { Dataset, Feeds } from '../data/dataset.js';
import { type Accuracy, type AccuracyMeter, accuracyMeter } from '../metrics/accuracy.js';
import { type Drift, type DriftMeter, driftMeter, looksLikeScores } from '../metrics/drift.js';
import type { Session } from '../providers/provider.js';
import type { Tensors } from '../providers/tensor.js';

/** One for each of the two models. */
export interface Both<T> {
  readonly original: T;
  readonly swapped: T;
}

/** What a provider's outputs are held against. */
export interface Comparison {
  /** Swapped against original. */
  readonly drift: Drift[];
  /** Each model against itself on the reference; null without one. */
  readonly parity: { original: Drift[]; swapped: Drift[] } | null;
  /** The original against what the data says it gives; null where it says nothing. */
  readonly expected: Drift[] | null;
  /** Null without labels. */
  readonly accuracy: (Both<Accuracy> & { readonly output: string }) | null;
}

/**
 * Runs both models over the data and adds up how their outputs compare. Nothing is kept from run to run, so
 * memory is that of one run however many samples there are; the price is that `reference`, the same models on the
 * CPU, runs again for every provider. Throws `run-failed`, `aborted`, and `bad-data` for labels that do not fit.
 */
export async function compare(
  models: Both<Session>,
  reference: Both<Session> | undefined,
  { feeds, expected, labels }: Dataset<Feeds>,
  signal: AbortSignal | undefined,
): Promise<Comparison> {
  const outputs = models.original.outputs.map(({ name }) => name);
  const drift = outputMeters(outputs);
  const known = outputMeters(outputs.filter((name) => expected?.some((run) => own(run, name) !== undefined)));
  const parity = {
    original: outputMeters(outputs),
    swapped: outputMeters(models.swapped.outputs.map(({ name }) => name)),
  };
  let accuracy: (Both<AccuracyMeter> & { readonly output: string }) | undefined;
  let run = -1;
  for await (const feed of feeds) {
    run++;
    stopIfAborted(signal);
    const original = await models.original.run(feed);
    const swapped = await models.swapped.run(feed);
    drift.add(original, swapped);
    if (expected !== undefined) known.add(expected[run] ?? {}, original);
    if (reference !== undefined) {
      parity.original.add(await reference.original.run(feed), original);
      parity.swapped.add(await reference.swapped.run(feed), swapped);
    }
    if (labels === undefined) continue;
    accuracy ??= accuracyMeters(outputs, original, labels);
    accuracy.original.add(own(original, accuracy.output));
    accuracy.swapped.add(own(swapped, accuracy.output));
  }
  return {
    drift: drift.results(),
    parity:
      reference === undefined
        ? null
        : { original: parity.original.results(), swapped: parity.swapped.results() },
    expected: expected === undefined ? null : known.results(),
    accuracy:
      accuracy === undefined
        ? null
        : {
            output: accuracy.output,
            original: accuracy.original.result(),
            swapped: accuracy.swapped.result(),
          },
  };
}

function outputMeters(names: readonly string[]) {
  const meters = new Map<string, DriftMeter>(names.map((name) => [name, driftMeter(name)]));
  return {
    add(reference: Tensors, got: Tensors): void {
      for (const [name, meter] of meters) meter.add(own(reference, name), own(got, name));
    },
    results: () => [...meters.values()].map((meter) => meter.result()),
  };
}

/** Meters at the first output that looks like class scores. */
function accuracyMeters(outputs: readonly string[], first: Tensors, labels: readonly number[]) {
  const output = outputs.find((name) => {
    const tensor = own(first, name);
    return tensor !== undefined && looksLikeScores(tensor);
  });
  if (output === undefined) {
    throw new OnnxMishError('bad-data', 'no output looks like class scores, so labels say nothing', {
      fix: 'Leave out the labels',
      option: { labels: null },
    });
  }
  return { output, original: accuracyMeter(output, labels), swapped: accuracyMeter(output, labels) };
}
