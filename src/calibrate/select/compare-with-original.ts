import { OnnxMishError } from '../../base/error.js';
import { type Dataset, type Feeds, firstFeed } from '../../data/dataset.js';
import { runnableNoise } from '../../data/runnable-noise.js';
import type { Subset } from '../../data/split.js';
import type { AccuracyWithIntervals } from '../../metrics/accuracy.js';
import type { Drift } from '../../metrics/drift.js';
import type { Difference } from '../../metrics/paired.js';
import type { Spliced } from '../../onnx/splice.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import type { OnProvider, Session } from '../../providers/provider.js';
import { withSession } from '../../providers/with-session.js';
import { compare } from '../../validate/compare.js';
import { checkDataLabels } from './check-data-labels.js';
import { comparedOutputs, type TrialOptions } from './trial.js';

/** Drift and accuracy of a model, compared with the original. */
export interface ModelComparison {
  readonly drift: readonly Drift[];
  /** Accuracy by the labels; null without labels. */
  readonly accuracy: AccuracyWithIntervals | null;
  /** Top-1 minus the original's on the same samples, a share with its 95 % interval; null without labels. */
  readonly difference?: Difference | null | undefined;
}

/** Comparison of a model with the original, with the accuracy of the original. */
export interface FullComparison extends ModelComparison {
  /** Accuracy of the original by the labels; null without labels. */
  readonly original: AccuracyWithIntervals | null;
}

/** Compares a candidate with the original on a subset of the samples. */
export type CompareCandidate = (candidate: Spliced, subset: Subset) => Promise<FullComparison>;

/**
 * Opens a model to read its inputs and outputs, and returns its data set. Throws `bad-usage` for an output that the model lacks, and
 * `bad-data` for labels outside the classes of the outputs that count.
 */
export async function dataFor(
  { file }: LoadedModel,
  options: Pick<TrialOptions, 'data' | 'session'> & Pick<CompareOptions, 'outputs'> & OnProvider,
): Promise<Dataset<Feeds>> {
  return withSession(file, options, async (original) => {
    const dataset = await runnableNoise(original, options.data(original.inputs, original.outputs));
    await checkDataLabels(original, dataset, [...countedOutputs(original, options.outputs)]);
    return dataset;
  });
}

export interface CompareOptions extends OnProvider, Pick<TrialOptions, 'session' | 'signal'> {
  /** Names of the outputs that count; default all outputs of floats, or all if there are none. */
  readonly outputs?: readonly string[] | undefined;
  /** Receives the number of finished runs and of all runs, before each run. */
  readonly onRun?: ((done: number, of: number) => void) | undefined;
}

/** Compares an edited model with its original on a data set. Throws `bad-usage` for an output that the model lacks. */
export async function compareWithOriginal(
  model: LoadedModel,
  edited: Spliced,
  data: Dataset<Feeds>,
  options: CompareOptions,
): Promise<FullComparison> {
  return model.withEdited(edited, (copy) =>
    withSession(model.file, options, (original) =>
      withSession(copy, options, async (swapped) => {
        const wanted = countedOutputs(original, options.outputs);
        const only = (session: Session): Session => ({
          ...session,
          outputs: session.outputs.filter(({ name }) => wanted.has(name)),
        });
        const models = { original: only(original), swapped: only(swapped) };
        const { drift, accuracy } = await compare(
          models,
          undefined,
          counted(data, options.onRun),
          options.signal,
        );
        const perSample = await outputsPerSample(original, data.feeds);
        return {
          drift: drift.map((one) => (perSample.has(one.output) ? one : { ...one, top1: null, top5: null })),
          accuracy: accuracy?.swapped ?? null,
          difference: accuracy?.difference ?? null,
          original: accuracy?.original ?? null,
        };
      }),
    ),
  );
}

/** Returns a data set that reports each run before it is read. */
function counted(data: Dataset<Feeds>, onRun: CompareOptions['onRun']): Dataset<Feeds> {
  if (onRun === undefined) return data;
  const { feeds } = data;
  const { length } = feeds;
  const reporting = {
    length,
    async *[Symbol.asyncIterator]() {
      let done = 0;
      for await (const run of feeds) {
        onRun(done++, length);
        yield run;
      }
    },
  };
  return { ...data, feeds: reporting };
}

function countedOutputs(session: Session, wanted: readonly string[] | undefined): ReadonlySet<string> {
  checkOutputs(session.outputs, wanted);
  return new Set(wanted ?? comparedOutputs(session));
}

/** Throws `bad-usage` for the name of an output that the model lacks. */
export function checkOutputs(
  outputs: readonly { readonly name: string }[],
  wanted: readonly string[] | undefined,
): void {
  const names = new Set(outputs.map(({ name }) => name));
  const unknown = wanted?.find((name) => !names.has(name));
  if (unknown === undefined) return;
  throw new OnnxMishError('bad-usage', `the model has no output '${unknown}'`, {
    fix: `Choose from ${[...names].join(', ')}`,
  });
}

/** Returns the outputs with a row for each sample, as class scores have; a map [channels, positions] has other rows. */
async function outputsPerSample(session: Session, feeds: Feeds): Promise<ReadonlySet<string>> {
  const first = await firstFeed(feeds);
  if (first === undefined) return new Set();
  const batches = new Set(Object.values(first).map(({ dims }) => dims[0]));
  const outputs = Object.entries(await session.run(first));
  return new Set(outputs.filter(([, { dims }]) => batches.has(dims[0])).map(([name]) => name));
}

/** Returns whether no output has a larger error, or more broken elements, than before. */
export function isNoWorse(after: readonly Drift[], before: readonly Drift[]): boolean {
  return after.every(({ rmse, broken }, index) => {
    const was = before[index];
    if (was === undefined || broken > was.broken) return false;
    return was.rmse === null || (rmse !== null && rmse <= was.rmse);
  });
}
