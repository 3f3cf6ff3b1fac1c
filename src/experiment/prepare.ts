// Prepares an experiment: data, models and all that its runs share.
import { OnnxMishError } from '../base/error.js';
import { createRandom, permutation, seedOf } from '../base/random.js';
import { dataDigest } from '../finetune/digest.js';
import { inputsForSamples } from '../finetune/prepare.js';
import { type DataParts, type LabelledPart, someOf, splitData } from '../finetune/split-data.js';
import type { ReplacementName } from '../mish/activation-kinds.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import type { OnProvider } from '../providers/provider.js';
import { type Architecture, activationNames, architectureOf, normsOf } from './architecture.js';
import { experimentDigest } from './digest.js';
import { gainOf } from './gain.js';
import { inputScaleDoubt } from './input-scale.js';
import { checkLandscape, DEFAULT_POINTS, DEFAULT_SPAN } from './landscape.js';
import type { ExperimentOptions } from './options.js';
import { chosenSettings, type ExperimentSettings, settingsOf } from './settings.js';

/** A run of an experiment. */
export interface RunKey {
  readonly activation: ReplacementName;
  readonly seed: number;
}

/** All that the runs of an experiment share. */
export interface Experiment {
  readonly model: LoadedModel;
  readonly architecture: Architecture;
  readonly parts: DataParts;
  readonly source: Awaited<ReturnType<ExperimentOptions['data']>>['source'];
  /** Test samples that are scored after each epoch. */
  readonly curve: LabelledPart;
  readonly activations: readonly ReplacementName[];
  readonly seeds: readonly number[];
  readonly gains: ReadonlyMap<ReplacementName, number>;
  /** All runs: whole seeds first. */
  readonly keys: readonly RunKey[];
  /** Treatment of batch normalisation. */
  readonly batchNorm: 'train' | 'insert';
  readonly warnings: readonly string[];
  readonly settings: ExperimentSettings;
  /** SHA-256 of all that decides the result of a run. */
  readonly digest: string;
  readonly options: ExperimentOptions & OnProvider;
}

export const DEFAULT_ACTIVATIONS: readonly ReplacementName[] = ['relu', 'leakyrelu', 'swish', 'mish'];
/** Maximum number of seeds: the runs are listed before the first. */
const MAX_SEEDS = 10_000;
const DEFAULT_SEEDS = 3;
/** Maximum number of test samples after each epoch; the whole test part is scored at the end. */
const MAX_CURVE_SAMPLES = 1000;
/** Tells the choice of these samples apart from other uses of the seed. */
const CURVE_SEED = 0xc0de;

/**
 * Reads the data of an experiment and writes the architecture with each activation. Throws as `swap` does, `bad-data` for samples that
 * do not fit, and `bad-usage` for options that cannot be used.
 */
export async function prepareExperiment(
  model: LoadedModel,
  options: ExperimentOptions & OnProvider,
): Promise<Experiment> {
  await options.provider.availability(); // sets `provider.version`, too
  settingsOf(options); // checks the values before the data are read
  if (options.landscape !== false) {
    const { points = DEFAULT_POINTS, span = DEFAULT_SPAN } = options.landscape ?? {};
    checkLandscape(points, span);
  }
  const activations = activationNames(options.activations ?? DEFAULT_ACTIVATIONS);
  const seeds = seedsOf(options);
  const architecture = await architectureOf(model, activations, options);
  for (const advice of architecture.unmatched) options.onDoubt?.(advice);
  const inputs = await inputsForSamples(model, options);
  const data = await options.data(inputs);
  const test = await options.test?.(inputs);
  const parts = splitData(data, test, { validation: 0, seed: 0 });
  const settings = await chosenSettings(model, parts.train, options);
  const doubt = options.onDoubt && (await inputScaleDoubt(model, parts.train));
  if (doubt !== undefined) options.onDoubt?.(doubt);
  const { batchNorm, warnings } = normsOf(model, options);
  const { train, test: tested } = parts;
  return {
    model,
    architecture,
    parts,
    source: data.source,
    activations,
    seeds,
    settings,
    batchNorm,
    warnings,
    options,
    curve: curveOf(tested),
    gains: new Map(activations.map((name) => [name, gainOf(name, options.beta)])),
    keys: seeds.flatMap((seed) => activations.map((activation) => ({ activation, seed }))),
    digest: await experimentDigest({
      ...(options.beta === undefined ? {} : { beta: options.beta }),
      settings,
      batchNorm,
      model: await model.fingerprint(),
      sites: architecture.sites.map(({ label }) => label),
      data: [await dataDigest(data), test && (await dataDigest(test)), train.count, tested.count],
    }),
  };
}

function seedsOf({ seeds = DEFAULT_SEEDS, seed = 0 }: ExperimentOptions): number[] {
  if (!(Number.isSafeInteger(seeds) && seeds > 0 && seeds <= MAX_SEEDS))
    throw new OnnxMishError('bad-usage', `the number of seeds must be from 1 to ${MAX_SEEDS}, got ${seeds}`);
  if (!(Number.isSafeInteger(seed) && seed >= 0))
    throw new OnnxMishError('bad-usage', `the first seed must be an integer of at least 0, got ${seed}`);
  return Array.from({ length: seeds }, (_, index) => seed + index);
}

function curveOf(test: LabelledPart): LabelledPart {
  const order = permutation(test.count, createRandom(seedOf(CURVE_SEED)));
  return someOf(test, order.subarray(0, MAX_CURVE_SAMPLES).toSorted());
}
