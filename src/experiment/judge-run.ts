// Measures of a trained run: score, units, landscape and derivative.
import { evaluatePart, scoreOf } from '../finetune/arm.js';
import { drawn } from '../finetune/drawn.js';
import { feedsOf } from '../finetune/feeds.js';
import { MAX_UNIT_SAMPLES } from '../finetune/limits.js';
import { someOf } from '../finetune/split-data.js';
import { editedModel } from '../finetune/start.js';
import { countUnits } from '../finetune/units.js';
import { splice } from '../onnx/splice.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import type { ModelTrainer } from '../train/train-model.js';
import { derivativeOverInputs } from './derivative.js';
import { functionOf } from './gain.js';
import { lossLandscape, trainedWeights } from './landscape.js';
import type { Experiment, RunKey } from './prepare.js';
import type { ExperimentRun } from './report-schema.js';

/** Default number of test samples of a landscape. */
export const DEFAULT_LANDSCAPE_IMAGES = 500;
/** Seed of the directions of all landscapes. */
const DIRECTIONS_SEED = 0;

/** Scores a trained model and counts its units that are never positive. The first seed also gets landscape and derivative. */
export async function judgeRun(
  experiment: Experiment,
  { activation, seed }: RunKey,
  trainer: ModelTrainer,
  { onPoint }: { readonly onPoint?: ((done: number, of: number) => void) | undefined } = {},
): Promise<Pick<ExperimentRun, 'test' | 'units' | 'landscape' | 'derivative'>> {
  const { parts, architecture, options, seeds } = experiment;
  const test = scoreOf(await evaluatePart(trainer, parts.test));
  const from = modelOf(experiment, activation);
  const trained = await editedModel(from, splice(from.document.source, await trainer.edits()));
  const inputs = architecture.sites.flatMap(({ input }) => input ?? []);
  const feeds = feedsOf(parts.test, trained, MAX_UNIT_SAMPLES, { hasRest: true });
  const counts = [...(await countUnits(trained, inputs, feeds, options)).values()];
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const units =
    counts.length === 0
      ? null
      : {
          count: sum(counts.map(({ count }) => count)),
          neverPositive: sum(counts.map(({ neverPositive }) => neverPositive)),
        };
  if (options.landscape === false || seed !== seeds[0]) return { test, units };
  const { provider, session, signal } = options;
  const derivative = await derivativeOverInputs(trained, {
    f: functionOf(activation, options.beta),
    inputs,
    feeds,
    provider,
    session,
  });
  const { images = DEFAULT_LANDSCAPE_IMAGES, ...size } = options.landscape ?? {};
  const samples = someOf(parts.test, drawn(parts.test.count, images));
  const landscape = await lossLandscape(trainedWeights(trainer, samples), {
    ...size,
    seed: DIRECTIONS_SEED,
    signal,
    onProgress: onPoint,
  });
  return { test, units, landscape, ...(derivative === undefined ? {} : { derivative }) };
}

/** Returns the model with an activation. */
export function modelOf({ architecture, model }: Experiment, activation: RunKey['activation']): LoadedModel {
  return architecture.models.get(activation) ?? model;
}
