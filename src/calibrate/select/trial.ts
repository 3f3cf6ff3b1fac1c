import { stopIfAborted } from '../../base/abort.js';
import { OnnxMishError } from '../../base/error.js';
import { ownProperty } from '../../base/own.js';
import { plural } from '../../base/plural.js';
import { sha256 } from '../../base/sha256.js';
import { countSamples, type Dataset, type Feeds, samplesOfRun } from '../../data/dataset.js';
import { hashFeeds } from '../../data/hash-feeds.js';
import { labelledPerRun, labelsIn, labelsOf, type SampleLabels } from '../../data/labels.js';
import { runnableNoise } from '../../data/runnable-noise.js';
import { type Subset, splitFeeds } from '../../data/split.js';
import { top1Drop } from '../../metrics/accuracy.js';
import { driftMeter } from '../../metrics/drift.js';
import { accuracyDifference, type LabelMeters, labelMeters } from '../../metrics/label-meters.js';
import type { FormName } from '../../mish/forms.js';
import type { Plan } from '../../mish/plan.js';
import { swapDocument } from '../../mish/swap.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import type { OnProvider, Provider, Session, SessionOptions, ValueInfo } from '../../providers/provider.js';
import { byteCount, type Tensors } from '../../providers/tensor.js';
import { withSession } from '../../providers/with-session.js';
import { checkDataLabels } from './check-data-labels.js';
import { type Degradation, UNMEASURED, worst } from './degradation.js';

export interface TrialOptions {
  /** Returns the data set for the model's inputs and outputs. */
  readonly data: (inputs: readonly ValueInfo[], outputs: readonly ValueInfo[]) => Dataset<Feeds>;
  /** Provider that runs the models; default the CPU. */
  readonly provider?: Provider | undefined;
  readonly session?: SessionOptions | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A draw of at most `samples` from a data set. `shares` splits it, given the number of runs and samples per run. */
export interface Draw {
  readonly samples: number;
  readonly seed: number;
  readonly shares: (runs: number, batch: number) => readonly number[];
}

/** Source and number of the drawn samples. */
export interface Drawn {
  readonly source: Dataset['source'];
  /** Seed of the noise; null for real samples. */
  readonly noise: number | null;
  /** Seed that selected the runs. */
  readonly seed: number;
  /** Number of drawn runs; `of` is the number of all runs. */
  readonly runs: number;
  readonly of: number;
  readonly samples: number;
  readonly labelled: boolean;
  /** SHA-256 of the drawn feeds. */
  readonly sha256: string;
}

/** The sites of a plan. */
export type PlanSites = Plan['sites'];

/** An open original with samples, on which swaps can be measured. */
export interface Trial {
  readonly drawn: Drawn;
  /** The original compared with itself; a figure that is null here cannot be measured for this model. */
  readonly unchanged: Degradation;
  /** Runs and samples of each subset. */
  readonly parts: readonly { readonly runs: number; readonly samples: number }[];
  /**
   * Swaps these sites and runs the result on subsets of the samples. Returns, for each subset, the degradation on all
   * subsets up to it. If the swapped model does not run, `problem` has the reason. Throws `aborted`.
   */
  measure(sites: PlanSites, parts: readonly number[], form: FormName): Promise<Degradation[]>;
}

/** Maximum size of samples and original outputs that stay in memory between swaps; above it they are computed again. */
const MAX_CACHE_BYTES = 2 ** 28;

/** A run: its feed, the labels of its rows, and the original's outputs. */
interface Run {
  readonly feed: Tensors;
  readonly labels: SampleLabels | undefined;
  readonly reference: Tensors;
}

/** Returns the plan that swaps these sites as the options say. */
function planFor(
  sites: PlanSites,
  form: FormName,
  { to, target, int8 }: Pick<Plan, 'to' | 'target' | 'int8'>,
): Plan {
  return { schema: 'onnx-mish/plan@1', to, target, int8, form, beta: 1, sites, skipped: [] };
}

/**
 * Opens the original with its samples, calls `use`, and closes the original. Throws `bad-data` for unfit data and if the
 * original returns NaN; `run-failed` if the original does not run; `provider-unavailable`, `io`, `aborted`.
 */
export async function withTrial<T>(
  model: LoadedModel,
  options: TrialOptions & OnProvider & Pick<Plan, 'to' | 'target' | 'int8'>,
  { samples, seed, shares }: Draw,
  use: (trial: Trial) => Promise<T>,
): Promise<T> {
  const { signal } = options;
  const { document } = model;
  if (!(Number.isSafeInteger(samples) && samples > 0)) {
    throw new OnnxMishError('bad-usage', `the number of samples must be a positive integer, got ${samples}`);
  }
  stopIfAborted(signal);
  return withSession(model.file, options, async (original) => {
    const dataset = await runnableNoise(original, options.data(original.inputs, original.outputs));
    const all = dataset.feeds.length;
    if (all === 0) throw new OnnxMishError('bad-data', 'the data set has no feeds for the model');
    const batch = await samplesOfRun(dataset);
    const limit = Math.min(all, Math.max(1, Math.floor(samples / batch)));
    const labels = labelsByRun(dataset);
    const split = splitFeeds(dataset.feeds, shares(limit, batch), { seed, limit });
    const outputs = comparedOutputs(original);
    await checkDataLabels(original, dataset, outputs);
    const runs = split.map((part) => runner(part, original, labels, signal));

    const compare = async (swapped: Session | undefined, parts: readonly number[]) => {
      const meter = degradationMeter(outputs);
      const degradations: Degradation[] = [];
      for (const part of parts) {
        for await (const run of runs[part]?.() ?? []) {
          stopIfAborted(signal);
          meter.add(run, swapped === undefined ? run.reference : await swapped.run(run.feed));
        }
        degradations.push(meter.result());
      }
      return degradations;
    };

    const unchanged = (await compare(undefined, [...split.keys()])).at(-1) ?? UNMEASURED;
    if (unchanged.broken > 0) throw returnsNaN(document.source.name);
    const parts = await Promise.all(
      split.map(async ({ runs: count, feeds }) => ({
        runs: count,
        samples: await countSamples(dataset, feeds),
      })),
    );
    const trial: Trial = {
      unchanged,
      drawn: {
        source: dataset.source,
        noise: dataset.seed ?? null,
        seed,
        runs: limit,
        of: all,
        samples: parts.reduce((sum, part) => sum + part.samples, 0),
        labelled: labelsOf(dataset) !== undefined,
        sha256: await hashOf(split),
      },
      parts,
      async measure(sites, parts, form) {
        stopIfAborted(signal);
        const plan = planFor(sites, form, options);
        const { output } = await swapDocument(document, {
          plan,
          undo: false,
          blocked: false,
          openData: model.openData,
        });
        try {
          return await model.withEdited(output, (copy) =>
            withSession(copy, options, (swapped) => compare(swapped, parts)),
          );
        } catch (error) {
          if (!(error instanceof OnnxMishError) || error.code !== 'run-failed') throw error;
          return parts.map(() => ({ ...UNMEASURED, problem: error.what }));
        }
      },
    };
    return use(trial);
  });
}

const returnsNaN = (where: string) =>
  new OnnxMishError('bad-data', 'the original returns NaN on these samples', {
    where,
    fix: 'Leave out these samples',
  });

/** Returns the SHA-256 of the drawn feeds. */
async function hashOf(split: readonly Subset[]): Promise<string> {
  let digest = '';
  for (const { feeds } of split) digest += await hashFeeds(feeds);
  return sha256(digest);
}

/** Returns a function from a run's number to its labels. */
function labelsByRun(dataset: Dataset<Feeds>): ((run: number) => SampleLabels | undefined) | undefined {
  const { feeds } = dataset;
  const labels = labelsOf(dataset);
  if (labels === undefined) return undefined;
  const rows = labelledPerRun(labels, feeds.length);
  if (Number.isInteger(rows)) return (run) => labelsOf(labelsIn(dataset, [[run * rows, (run + 1) * rows]]));
  throw new OnnxMishError(
    'bad-data',
    `${plural(labels.values.length, 'label')} cannot be divided equally among ${plural(feeds.length, 'run')}`,
    { fix: 'Give one label for each sample' },
  );
}

/** Returns a function that iterates over a subset's runs; later iterations read them from memory, if they fit. */
function runner(
  { feeds, indices }: Subset,
  original: Session,
  labels: ((run: number) => SampleLabels | undefined) | undefined,
  signal: AbortSignal | undefined,
): () => AsyncIterable<Run> | readonly Run[] {
  let kept: Run[] | undefined;
  let tooMuch = false;
  async function* fresh() {
    const held: Run[] = [];
    let bytes = 0;
    let at = 0;
    for await (const feed of feeds) {
      stopIfAborted(signal);
      const run = { feed, labels: labels?.(indices[at++] ?? 0), reference: await original.run(feed) };
      bytes += byteCount(run.reference) + (Array.isArray(feeds) ? 0 : byteCount(feed));
      tooMuch ||= bytes > MAX_CACHE_BYTES;
      if (tooMuch) held.length = 0;
      else held.push(run);
      yield run;
    }
    if (!tooMuch) kept = held;
  }
  return () => kept ?? fresh();
}

/**
 * Returns the names of the float outputs, which show a drift; if there are none, of all outputs. Whole numbers, such as the
 * number of the best class, have no error that a repair could lower.
 */
export function comparedOutputs({ outputs }: Session): string[] {
  const floats = outputs.filter(({ elemType }) => /^(f|bf)\d/.test(elemType));
  return (floats.length > 0 ? floats : outputs).map(({ name }) => name);
}

function degradationMeter(outputs: readonly string[]) {
  const meters = outputs.map((name) => ({ name, meter: driftMeter(name) }));
  const labels: number[] = [];
  let accuracy: LabelMeters | undefined;
  return {
    add({ reference, labels: more }: Run, got: Tensors): void {
      for (const { name, meter } of meters) meter.add(ownProperty(reference, name), ownProperty(got, name));
      if (more === undefined) return;
      for (let at = 0; at < more.values.length; at++) labels.push(more.values[at] ?? 0);
      const samples = labelledPerRun(more, 1);
      accuracy ??= labelMeters(
        outputs,
        reference,
        { values: labels, places: more.places },
        { samples, drawn: true },
      );
      accuracy.add(reference, got);
    },
    result(): Degradation {
      const drift = worst(meters.map(({ meter }) => meter.result()));
      if (accuracy === undefined) return { ...drift, top1Drop: null };
      const { original, swapped } = accuracy;
      const lost = top1Drop(original.result(), swapped.result());
      const { low, high } = accuracyDifference(accuracy);
      return { ...drift, top1Drop: lost, top1DropInterval: [-100 * high, -100 * low] };
    },
  };
}
