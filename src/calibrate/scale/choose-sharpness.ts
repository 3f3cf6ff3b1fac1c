import { drawRuns, type Subset } from '../../data/split.js';
import { MAX_CURVED_INPUT, type SharpActivation } from '../../metrics/curved-share.js';
import type { Plan } from '../../mish/plan.js';
import { keyOfSite, siteKey } from '../../mish/results.js';
import { findSites, inputOf, type Site, type SiteOptions } from '../../mish/sites.js';
import { indexGraphs } from '../../onnx/graph-index.js';
import type { EditableModel } from '../../providers/loaded-model.js';
import type { OnProvider } from '../../providers/provider.js';
import { type MeasureTensorsOptions, measureTensors } from '../activations/measure-tensors.js';
import { findChannelClasses } from './channel-classes.js';
import { type InputSamples, inputMeter } from './input-meter.js';
import { type Rescaled, rescale, type WantedSharpness } from './rescale.js';
import { separateConstants } from './separate-constants.js';
import { sharpenChannels } from './sharpen-channels.js';

/** Kinds of activations with f(sx) = s f(x) for every positive s. */
const HOMOGENEOUS_KINDS: ReadonlySet<string> = new Set(['relu', 'leakyrelu', 'prelu']);
/** Number of samples whose inputs decide a sharpness. */
const MAX_MEASURED_SAMPLES = 512;
const MIN_MEASURED_SAMPLES = 16;

export interface ChooseOptions
  extends SiteOptions,
    OnProvider,
    Pick<MeasureTensorsOptions, 'session' | 'signal' | 'onProgress'> {
  /** Share of inputs at which the new activation is curved that every site keeps. */
  readonly share: number;
  /** The new activation. */
  readonly activation: SharpActivation;
  readonly seed: number;
  /** Number of samples in a run. */
  readonly batch: number;
  /** Maximum number of samples whose inputs decide, 16 to 512; default 512. */
  readonly samples?: number | undefined;
}

/**
 * Chooses the sharpness of each site from what goes into the site: the largest at which a share of its inputs still lies
 * where the new activation f is curved. Folds the sharpness into the weights around the sites. The result computes the same function
 * as the original; swapping its sites for f gives f(βx) / β. Throws `run-failed`, `aborted`, and as `findSites` does.
 */
export async function sharpenByInputs(
  given: EditableModel,
  plan: Plan,
  train: Subset,
  options: ChooseOptions,
): Promise<Rescaled> {
  const { activation } = options;
  const original = await separateConstants(given);
  const { document } = original;
  const planned = new Map(plan.sites.map((site) => [siteKey(site), site]));
  const found = (await findSites(document, options)).sites.flatMap((site) => {
    const entry = planned.get(keyOfSite(site));
    return entry === undefined || !HOMOGENEOUS_KINDS.has(site.kind) ? [] : [{ site, leak: entry.leak }];
  });
  const index = indexGraphs(document);
  const homogeneous = found.map(({ site }) => site);
  const channels = await findChannelClasses(document, index, homogeneous);
  const places = found.flatMap(({ site, leak }) => {
    const isMade = index.producer(site.scope, inputOf(site)) !== undefined;
    // A sharper activation comes nearer to ReLU, and a mixture nearer to its LeakyReLU.
    const factor =
      site.kind === 'relu' || leak !== undefined
        ? 1
        : site.kind === 'leakyrelu' && typeof site.alpha === 'number'
          ? leakySharpness(site.alpha, activation)
          : 0;
    const meter = () => inputMeter(channels.classOf(inputOf(site)), options.seed);
    const place = { site, leak, factor, input: inputOf(site), fed: !isMade, meter };
    return site.scope === document.graph && factor > 0 ? [place] : [];
  });
  const measured = drawRuns(train, runsFor(options), options.seed);
  const results = await measureTensors(places, measured, original, options);
  const chosen = new Map<Site, number>();
  const samples = new Map<Site, InputSamples>();
  for (const [{ site, factor }, result] of results)
    if (result.why === undefined) {
      chosen.set(site, scaled(result.meter.sharpness(options.share, MAX_CURVED_INPUT[activation]), factor));
      samples.set(site, result.meter.samples());
    }
  const wanted = found.map(({ site }): WantedSharpness => ({ site, beta: chosen.get(site) ?? 1 }));
  const rescaled = await rescale(original, homogeneous, wanted);
  const sampled = found.map(({ site, leak }) => ({ site, leak, samples: samples.get(site) }));
  return sharpenChannels(rescaled, sampled, {
    ...options,
    rows: train.runs * options.batch,
    feeds: measured.feeds,
    homogeneous,
  });
}

/** Returns a sharpness times a factor, two decimals, at least 1. */
function scaled(sharpness: number, factor: number): number {
  return Math.max(1, Math.floor(100 * sharpness * factor) / 100);
}

/** Slope up to which a sharper activation is nearer to LeakyReLU. */
const MAX_SHARP_SLOPE = 0.065;
/** Factor of the sharpness for larger slopes, divided by the slope to the power of 0.7. HardSwish, which is 0 below -3, bends most. */
const LEAKY_FACTOR = { mish: 0.068, swish: 0.068, gelu: 0.068, hardswish: 0.1 } as const;
const LEAKY_POWER = -0.7;

/**
 * Returns the factor, at most 1, of the sharpness for a LeakyReLU that becomes an activation itself, not a mixture; 0 for a slope that
 * is negative or NaN. A sharp activation loses the slope, a soft one the kink. The factor is near the best for normally distributed
 * inputs and a linear layer after the site.
 */
export function leakySharpness(slope: number, to: SharpActivation): number {
  if (!(slope >= 0)) return 0;
  return slope <= MAX_SHARP_SLOPE ? 1 : Math.min(1, LEAKY_FACTOR[to] * slope ** LEAKY_POWER);
}

/** Returns the number of runs whose inputs decide. */
function runsFor({ samples = MAX_MEASURED_SAMPLES, batch }: ChooseOptions): number {
  const wanted = Math.max(MIN_MEASURED_SAMPLES, Math.min(samples, MAX_MEASURED_SAMPLES));
  return Math.max(1, Math.ceil(wanted / batch));
}
