import { OnnxMishError } from '../../base/error.js';
import { countSamples, type Dataset, type Feeds, samplesOfRun } from '../../data/dataset.js';
import { splitFeeds } from '../../data/split.js';
import { type SiteReport, siteReport } from '../../mish/results.js';
import { findSites, inputOf, type Site, type SiteOptions } from '../../mish/sites.js';
import { analyse } from '../../onnx/analysis.js';
import type { GraphIndex } from '../../onnx/graph-index.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import type { OnProvider, Provider, SessionOptions, ValueInfo } from '../../providers/provider.js';
import { type ActivationMeter, activationMeter, type InputStatistics } from './activation-meter.js';
import { measureTensors } from './measure-tensors.js';
import { tryOut } from './try-out.js';
import { unitAxis } from './unit-axis.js';

export const ACTIVATIONS_SCHEMA = 'onnx-mish/activations@1';

/** Statistics of the inputs of a model's activations. Shares are from 0 to 1. */
export interface Activations {
  readonly schema: typeof ACTIVATIONS_SCHEMA;
  readonly data: {
    readonly source: Dataset['source'];
    readonly seed: number | null;
    /** Number of measured runs; `of` is the number of all runs. */
    readonly runs: number;
    readonly of: number;
    /** Number of samples in these runs. */
    readonly samples: number;
    /** Dimensions of the model's inputs in the first run. */
    readonly shapes: Readonly<Record<string, readonly number[]>>;
  };
  /** Measured sites, in the order of the graph. */
  readonly sites: readonly SiteActivations[];
  /** Sites that could not be measured. */
  readonly unmeasured: readonly UnmeasuredSite[];
}

/** A site of the main graph with the statistics of its input tensor. */
export interface SiteActivations extends Omit<SiteReport, 'beta' | 'scope'>, InputStatistics {
  /** Name of the input tensor. */
  readonly input: string;
  /** Dimensions of the input tensor in the first run. */
  readonly dims: readonly number[];
}

export interface UnmeasuredSite extends Omit<SiteReport, 'beta'> {
  readonly why: string;
}

export interface ActivationsOptions extends SiteOptions {
  /** Returns the data set for the model's inputs and outputs. */
  readonly data: (inputs: readonly ValueInfo[], outputs: readonly ValueInfo[]) => Dataset<Feeds>;
  /** Provider that runs the model; default the CPU. */
  readonly provider?: Provider | undefined;
  readonly session?: SessionOptions | undefined;
  /** Maximum number of samples; default 256. `seed` selects the runs, since data may be sorted. */
  readonly samples?: number | undefined;
  /** Seed that selects the runs; default 0. */
  readonly seed?: number | undefined;
  /** Maximum number of tensors measured in one pass over the samples; default 48. */
  readonly chunk?: number | undefined;
  /** Approximate maximum size in bytes of a run's outputs; default 256 MiB. */
  readonly bytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, of: number) => void) | undefined;
}

/** Default number of samples: enough for shares of a percent. */
export const DEFAULT_SAMPLES = 256;

/**
 * Runs a model on samples and measures the input of each activation that can be swapped: the shares above 0, in Mish's
 * dip and in Mish's curved part, and the number of units (channels or features, see `unitAxis`) that are never positive,
 * so dead under ReLU. `model` is the original.
 *
 * A few tensors at a time become outputs of copies of the model. Only sums and counts stay in memory between runs.
 * Activations in functions and in the bodies of If, Loop and Scan cannot be measured; `unmeasured` lists them, and
 * activations at which ONNX Runtime fails. NaN and infinite elements are counted separately.
 *
 * Throws `bad-data` for unfit data, `run-failed` for a model that does not run, `bad-usage`, `io`,
 * `provider-unavailable`, `aborted`, and as `scan` does.
 */
export async function measureActivations(
  model: LoadedModel,
  options: ActivationsOptions & OnProvider,
): Promise<Activations> {
  const { samples = DEFAULT_SAMPLES, seed = 0 } = options;
  if (!(Number.isSafeInteger(samples) && samples > 0)) {
    throw new OnnxMishError('bad-usage', `the number of samples must be a positive integer, got ${samples}`);
  }
  const analysis = analyse(model.document);
  const found = await findSites(model.document, options, analysis);
  const places = found.sites.map((site) => placeOf(site, analysis.index));
  const { dataset, shapes } = await tryOut(model, options);
  const all = dataset.feeds.length;
  const batch = await samplesOfRun(dataset);
  const limit = Math.min(all, Math.max(1, Math.floor(samples / batch)));
  const [drawn] = limit < all ? splitFeeds(dataset.feeds, [1], { seed, limit }) : [dataset];
  const { feeds } = drawn ?? dataset;

  const measured = await measureTensors(
    places.filter((place) => place.why === undefined),
    { feeds, runs: limit },
    model,
    options,
  );
  const sites: SiteActivations[] = [];
  const unmeasured: UnmeasuredSite[] = [];
  for (const place of places) {
    const { scope, beta, ...site } = siteReport({ ...place.site, beta: 1 }); // no β is written
    const result = measured.get(place);
    const why =
      place.why ?? result?.why ?? (result === undefined ? 'no run reached the activation' : undefined);
    if (why !== undefined) unmeasured.push({ scope, ...site, why });
    else if (result?.why === undefined && result !== undefined) {
      sites.push({ ...site, input: place.input, dims: result.dims, ...result.meter.result() });
    }
  }
  const { source, seed: made = null } = dataset;
  return {
    schema: ACTIVATIONS_SCHEMA,
    data: {
      source,
      seed: made,
      runs: limit,
      of: all,
      shapes,
      samples: await countSamples(dataset, feeds),
    },
    sites,
    unmeasured,
  };
}

/** A site and its input; `why` is the reason if the input cannot be measured. */
interface Place {
  readonly site: Site;
  readonly input: string;
  /** Whether the site's input is an input of the model. */
  readonly fed: boolean;
  readonly meter: () => ActivationMeter;
  readonly why: string | undefined;
}

function placeOf(site: Site, index: GraphIndex): Place {
  const { scope, kind, alpha } = site;
  const input = inputOf(site);
  const made = index.producer(scope, input) !== undefined;
  const slope = kind === 'relu' ? 0 : kind === 'leakyrelu' && typeof alpha === 'number' ? alpha : undefined;
  const meter = () => activationMeter(unitAxis(index, scope, input), slope);
  return { site, input, fed: !made, meter, why: obstacle(site, input, made) };
}

/** Returns why the input of a site cannot be measured; undefined if it can be. `made` says whether a node computes it. */
function obstacle({ scope }: Site, input: string, made: boolean): string | undefined {
  if (scope.kind === 'function') return 'tensors in a function cannot become outputs';
  if (scope.parent !== undefined) return 'tensors in the body of a node cannot become outputs';
  if (!made && scope.initializers.has(input)) return 'the input is a constant of the model';
  return undefined;
}
