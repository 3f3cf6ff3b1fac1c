import { stopIfAborted } from '../../base/abort.js';
import { OnnxMishError } from '../../base/error.js';
import { own } from '../../base/own.js';
import { sha256 } from '../../base/sha256.js';
import { type Dataset, type Feeds, firstFeed } from '../../data/dataset.js';
import { hashFeeds } from '../../data/hash-feeds.js';
import { type Part, splitFeeds } from '../../data/split.js';
import { classesOf, type Drift, driftMeter, highest } from '../../metrics/drift.js';
import type { FormName } from '../../mish/forms.js';
import type { Plan } from '../../mish/plan.js';
import { swapDocument } from '../../mish/swap.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import type { OnProvider, Provider, Session, SessionOptions, ValueInfo } from '../../providers/provider.js';
import { type Tensors, toNumbers } from '../../providers/tensor.js';

/** How far the outputs of a model with swapped sites are from the original's: of several outputs, the worst. */
export interface Harm {
  /** Signal to noise over the float outputs, in dB; null stands for infinite when `maxAbs` is 0, else for unknown. */
  readonly sqnr: number | null;
  /** Largest absolute difference of an element; null where an output is broken. */
  readonly maxAbs: number | null;
  readonly cosine: number | null;
  /** Share of rows, 0 to 1, with the same top class; null where no output looks like class scores. */
  readonly agreement: number | null;
  /** Top-1 accuracy that is lost, in percentage points; null without labels. */
  readonly top1Drop: number | null;
  /** Elements that are NaN, or infinite where the original's are not. */
  readonly broken: number;
  /** Why it could not be measured: the model does not run, an output has another shape. */
  readonly problem: string | null;
}

export interface TrialOptions {
  /** Makes the feeds, once the inputs and outputs of the model are known. */
  readonly data: (inputs: readonly ValueInfo[], outputs: readonly ValueInfo[]) => Dataset<Feeds>;
  /** The CPU unless given. */
  readonly provider?: Provider | undefined;
  readonly session?: SessionOptions | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What is drawn from a data set: `samples` at the most, in parts whose `shares` depend on the number of runs and the samples of each. */
export interface Draw {
  readonly samples: number;
  readonly seed: number;
  readonly shares: (runs: number, batch: number) => readonly number[];
}

/** Where the samples came from, and how many there are. */
export interface Drawn {
  readonly source: Dataset['source'];
  /** Seed of the noise; null for real samples. */
  readonly noise: number | null;
  /** Seed by which the runs were drawn. */
  readonly seed: number;
  /** Runs drawn, of so many. */
  readonly runs: number;
  readonly of: number;
  readonly samples: number;
  readonly labelled: boolean;
  /** SHA-256 of what was drawn. */
  readonly sha256: string;
}

/** The sites of a plan. */
export type PlanSites = Plan['sites'];

/** An original and samples, ready to try swaps on. */
export interface Trial {
  readonly drawn: Drawn;
  /** The original against itself: what is null here cannot be measured of these outputs. */
  readonly unchanged: Harm;
  /** Runs and samples of each part. */
  readonly parts: readonly { readonly runs: number; readonly samples: number }[];
  /**
   * Swaps these sites and runs the result over parts of the samples. Gives what is known after each part, the parts before
   * it included. A swapped model that does not run is a `problem`. Throws `aborted`.
   */
  measure(sites: PlanSites, parts: readonly number[], form: FormName): Promise<Harm[]>;
}

/** Bytes of samples and of the original's outputs that are kept in memory rather than made anew for every swap. */
const MEMORY = 2 ** 28;

/** One run: what is fed, the classes of its rows, and what the original gives. */
interface Run {
  readonly feed: Tensors;
  readonly labels: readonly number[] | undefined;
  readonly reference: Tensors;
}

/**
 * Opens the original on samples for as long as `use` takes. Throws `bad-data` for data that does not fit, and where the
 * original gives NaN; `run-failed` where it does not run; `provider-unavailable`, `io`, `aborted`.
 */
export async function withTrial<T>(
  model: LoadedModel,
  options: TrialOptions & OnProvider,
  { samples, seed, shares }: Draw,
  use: (trial: Trial) => Promise<T>,
): Promise<T> {
  const { provider, session, signal } = options;
  const { document } = model;
  if (!(Number.isSafeInteger(samples) && samples > 0)) {
    throw new OnnxMishError('bad-usage', `${samples} is no number of samples`, { fix: 'Give 1 or more' });
  }
  stopIfAborted(signal);
  const original = await provider.open(model.file, session);
  try {
    const dataset = options.data(original.inputs, original.outputs);
    const all = dataset.feeds.length;
    if (all === 0) throw new OnnxMishError('bad-data', 'there is nothing to feed the model with');
    const batch = await samplesOfRun(dataset);
    const limit = Math.min(all, Math.max(1, Math.floor(samples / batch)));
    const labels = labelsByRun(dataset);
    const split = splitFeeds(dataset.feeds, shares(limit, batch), { seed, limit });
    const outputs = comparedOutputs(original);
    const runs = split.map((part) => runner(part, original, labels, signal));

    const compare = async (swapped: Session | undefined, parts: readonly number[]) => {
      const meter = harmMeter(outputs);
      const harms: Harm[] = [];
      for (const part of parts) {
        for await (const run of runs[part]?.() ?? []) {
          stopIfAborted(signal);
          meter.add(run, swapped === undefined ? run.reference : await swapped.run(run.feed));
        }
        harms.push(meter.result());
      }
      return harms;
    };

    const unchanged = (await compare(undefined, [...split.keys()])).at(-1) ?? NOTHING;
    if (unchanged.broken > 0) {
      throw new OnnxMishError('bad-data', 'the original itself gives NaN on these samples', {
        where: document.source.name,
        fix: 'Leave out the samples that it cannot take',
      });
    }
    let digest = '';
    for (const { feeds } of split) digest += await hashFeeds(feeds);
    const trial: Trial = {
      unchanged,
      drawn: {
        source: dataset.source,
        noise: dataset.seed ?? null,
        seed,
        runs: limit,
        of: all,
        samples: Math.round(limit * batch),
        labelled: dataset.labels !== undefined,
        sha256: await sha256(digest),
      },
      parts: split.map((part) => ({ runs: part.runs, samples: Math.round(part.runs * batch) })),
      async measure(sites, parts, form) {
        stopIfAborted(signal);
        const plan = { schema: 'onnx-mish/plan@1', form, beta: 1, sites, skipped: [] } as const;
        const { output } = await swapDocument(document, { plan, undo: false });
        try {
          return await model.withEdited(output, async (copy) => {
            const swapped = await provider.open(copy, session);
            try {
              return await compare(swapped, parts);
            } finally {
              await swapped.close();
            }
          });
        } catch (error) {
          if (!(error instanceof OnnxMishError) || error.code !== 'run-failed') throw error;
          return parts.map(() => ({ ...NOTHING, problem: error.what }));
        }
      },
    };
    return await use(trial);
  } finally {
    await original.close();
  }
}

const NOTHING: Harm = {
  sqnr: null,
  maxAbs: null,
  cosine: null,
  agreement: null,
  top1Drop: null,
  broken: 0,
  problem: null,
};

/** How many samples a run takes. */
export async function samplesOfRun({ feeds, samples }: Dataset<Feeds>): Promise<number> {
  if (samples !== undefined) return Math.max(1, samples / feeds.length);
  const [first] = Object.values((await firstFeed(feeds)) ?? {});
  return Math.max(1, first?.dims[0] ?? 1);
}

/** The classes of each run's rows. */
function labelsByRun({ feeds, labels }: Dataset<Feeds>): ((run: number) => readonly number[]) | undefined {
  if (labels === undefined) return undefined;
  const rows = labels.length / feeds.length;
  if (Number.isInteger(rows)) return (run) => labels.slice(run * rows, (run + 1) * rows);
  throw new OnnxMishError('bad-data', `there are ${labels.length} labels for ${feeds.length} runs`, {
    fix: 'Give one label for each sample',
  });
}

/** Goes over the runs of a part; from the second time on out of memory, where they fit. */
function runner(
  { feeds, indices }: Part,
  original: Session,
  labels: ((run: number) => readonly number[]) | undefined,
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
      bytes += sizeOf(run.reference) + (Array.isArray(feeds) ? 0 : sizeOf(feed));
      tooMuch ||= bytes > MEMORY;
      if (tooMuch) held.length = 0;
      else held.push(run);
      yield run;
    }
    if (!tooMuch) kept = held;
  }
  return () => kept ?? fresh();
}

function sizeOf(tensors: Tensors): number {
  return Object.values(tensors).reduce(
    (sum, { data }) => sum + (ArrayBuffer.isView(data) ? data.byteLength : 0),
    0,
  );
}

/** Floats say how far a model has moved; where it gives none, whatever it gives. */
function comparedOutputs({ outputs }: Session): string[] {
  const floats = outputs.filter(({ elemType }) => /^(f|bf)\d/.test(elemType));
  return (floats.length > 0 ? floats : outputs).map(({ name }) => name);
}

function harmMeter(outputs: readonly string[]) {
  const meters = outputs.map((name) => ({ name, meter: driftMeter(name) }));
  const right = { rows: 0, original: 0, swapped: 0 };
  return {
    add({ reference, labels }: Run, got: Tensors): void {
      for (const { name, meter } of meters) meter.add(own(reference, name), own(got, name));
      if (labels === undefined) return;
      const scores = outputs.find((name) => classesIn(reference, name) !== undefined);
      if (scores === undefined) {
        throw new OnnxMishError('bad-data', 'no output looks like class scores, so labels say nothing', {
          fix: 'Leave out the labels',
          option: { labels: null },
        });
      }
      right.rows += labels.length;
      right.original += countRight(reference, scores, labels);
      right.swapped += countRight(got, scores, labels);
    },
    result(): Harm {
      const lost = (100 * (right.original - right.swapped)) / right.rows;
      return {
        ...worst(meters.map(({ meter }) => meter.result())),
        top1Drop: right.rows === 0 ? null : lost,
      };
    },
  };
}

function classesIn(tensors: Tensors, name: string): number | undefined {
  const tensor = own(tensors, name);
  return tensor && classesOf(tensor);
}

function countRight(outputs: Tensors, name: string, labels: readonly number[]): number {
  const scores = own(outputs, name);
  const classes = classesIn(outputs, name);
  const numbers = scores && toNumbers(scores);
  if (classes === undefined || numbers === undefined) return 0; // its shape changed, which its drift says
  if (scores?.dims[0] !== labels.length) {
    throw new OnnxMishError('bad-data', `a run has ${labels.length} labels and ${scores?.dims[0]} rows`, {
      where: name,
      fix: 'Give one label for each row',
    });
  }
  return labels.filter((label, row) => {
    if (Number.isInteger(label) && label >= 0 && label < classes)
      return highest(numbers, row, classes)[0] === label;
    throw new OnnxMishError('bad-data', `label ${label} is none of its ${classes} classes`, {
      where: name,
      fix: 'Count from 0',
    });
  }).length;
}

/** Of several outputs, the worst figure of each kind. */
export function worst(drifts: readonly Drift[]): Omit<Harm, 'top1Drop'> {
  const of = (values: readonly (number | null)[], choose: (...values: number[]) => number) => {
    const known = values.filter((value) => value !== null);
    return known.length < values.length || known.length === 0 ? null : choose(...known);
  };
  const maxAbs = of(
    drifts.map((drift) => drift.maxAbs),
    Math.max,
  );
  // An output that is the same as before has no noise, and no say in which is the worst.
  const noisy = drifts.filter((drift) => drift.maxAbs !== 0);
  const sqnr = of(
    noisy.map((drift) => drift.sqnr ?? (drift.maxAbs === null ? null : Number.NEGATIVE_INFINITY)),
    Math.min,
  );
  const cosines = drifts.map(({ cosine }) => cosine);
  const scores = drifts.flatMap(({ top1 }) => top1 ?? []);
  return {
    sqnr: sqnr === Number.NEGATIVE_INFINITY ? null : sqnr,
    maxAbs,
    cosine: of(cosines, Math.min),
    agreement: scores.length === 0 ? null : Math.min(...scores),
    broken: drifts.reduce((sum, { broken }) => sum + broken, 0),
    problem: drifts.find(({ problem }) => problem !== null)?.problem ?? null,
  };
}
