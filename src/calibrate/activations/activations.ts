import { stopIfAborted } from '../../base/abort.js';
import { OnnxMishError } from '../../base/error.js';
import { own } from '../../base/own.js';
import { type Dataset, type Feeds, firstFeed } from '../../data/dataset.js';
import { splitFeeds } from '../../data/split.js';
import { type SiteReport, siteReport } from '../../mish/results.js';
import { findSites, inputOf, type Site, type SiteOptions } from '../../mish/sites.js';
import { analyse } from '../../onnx/analysis.js';
import type { GraphIndex } from '../../onnx/graph-index.js';
import { type ExposedModel, withExposed } from '../../providers/exposed-model.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import type { OnProvider, Provider, SessionOptions, ValueInfo } from '../../providers/provider.js';
import { dimsOf, type Tensors } from '../../providers/tensor.js';
import { type ActivationMeter, activationMeter, type InputStatistics } from './activation-meter.js';
import { unitAxis } from './unit-axis.js';

export const ACTIVATIONS_SCHEMA = 'onnx-mish/activations@1';

/** What the activations of a model take in, over samples. Shares are from 0 to 1. */
export interface Activations {
  readonly schema: typeof ACTIVATIONS_SCHEMA;
  readonly data: {
    readonly source: Dataset['source'];
    readonly seed: number | null;
    /** Runs that were fed, of so many. */
    readonly runs: number;
    readonly of: number;
    /** What those runs are in samples. */
    readonly samples: number;
    /** Dimensions of a run's inputs. */
    readonly shapes: Readonly<Record<string, readonly number[]>>;
  };
  /** In the order of the graph. */
  readonly sites: readonly SiteActivations[];
  /** Sites that could not be measured. */
  readonly unmeasured: readonly UnmeasuredSite[];
}

/** One site of the main graph, and the statistics of the tensor that goes into it. */
export interface SiteActivations extends Omit<SiteReport, 'beta' | 'scope'>, InputStatistics {
  /** Name of that tensor. */
  readonly input: string;
  /** Its dimensions in the first run. */
  readonly dims: readonly number[];
}

export interface UnmeasuredSite extends Omit<SiteReport, 'beta'> {
  readonly why: string;
}

export interface ActivationsOptions extends SiteOptions {
  /** Makes the feeds, once the inputs and outputs of the model are known. */
  readonly data: (inputs: readonly ValueInfo[], outputs: readonly ValueInfo[]) => Dataset<Feeds>;
  /** The CPU unless given. */
  readonly provider?: Provider | undefined;
  readonly session?: SessionOptions | undefined;
  /** Samples to take, about and at the most: 256 unless given. Runs are drawn by `seed`, for data may be in order. */
  readonly samples?: number | undefined;
  /** 0 unless given. */
  readonly seed?: number | undefined;
  /** Tensors of one pass, at the most; 48 unless given. */
  readonly chunk?: number | undefined;
  /** Bytes of tensors that a run of one pass may give, about; 256 MiB unless given. */
  readonly bytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, of: number) => void) | undefined;
}

/** Samples that are enough for shares of a percent, and few enough to wait for. */
export const ENOUGH_SAMPLES = 256;
/** Sites of the first pass, when nothing is known of the size of their tensors. */
const FIRST = 4;

/**
 * Runs a model on samples and measures what goes into each activation that could be swapped: how much of it is above 0,
 * lies in Mish's dip, lies where Mish bends, and how many units (channels or features, see `unitAxis`) are never
 * positive, which is dead under ReLU. `model` is the original.
 *
 * Tensors become outputs of copies of the model, a few at a time, and of each run only sums and counts are kept: memory
 * holds one run of one pass. Activations in bodies of If, Loop and Scan and in functions cannot be looked into; they
 * are listed in `unmeasured`, as are those at which ONNX Runtime failed. NaN and infinite elements are counted apart.
 *
 * Throws `bad-data` for data that does not fit, `run-failed` for a model that does not run, `bad-usage`, `io`,
 * `provider-unavailable`, `aborted`, and as `scan` does.
 */
export async function measureActivations(
  model: LoadedModel,
  options: ActivationsOptions & OnProvider,
): Promise<Activations> {
  const { samples = ENOUGH_SAMPLES, seed = 0 } = options;
  if (!(Number.isSafeInteger(samples) && samples > 0)) {
    throw new OnnxMishError('bad-usage', `${samples} is no number of samples`, { fix: 'Give 1 or more' });
  }
  const analysis = analyse(model.document);
  const found = await findSites(model.document, options, analysis);
  const places = found.sites.map((site) => placeOf(site, analysis.index));
  const { dataset, shapes } = await tryOut(model, options);
  const all = dataset.feeds.length;
  const batch = samplesOfRun(dataset, shapes);
  const limit = Math.min(all, Math.max(1, Math.floor(samples / batch)));
  const feeds = limit < all ? splitFeeds(dataset.feeds, [1], { seed, limit })[0]?.feeds : dataset.feeds;

  const measured = await measureAll(
    places.filter((place) => place.why === undefined),
    { feeds: feeds ?? [], runs: limit },
    model,
    options,
  );
  const sites: SiteActivations[] = [];
  const unmeasured: UnmeasuredSite[] = [];
  for (const place of places) {
    const { scope, beta, ...site } = siteReport({ ...place.site, beta: 1 });
    const result = measured.get(place);
    const why = place.why ?? result?.why ?? (result === undefined ? 'no run reached it' : undefined);
    if (why !== undefined) unmeasured.push({ scope, ...site, why });
    else if (result?.why === undefined && result !== undefined) {
      sites.push({ ...site, input: place.input, dims: result.dims, ...result.statistics });
    }
  }
  const { source, seed: made = null } = dataset;
  return {
    schema: ACTIVATIONS_SCHEMA,
    data: { source, seed: made, runs: limit, of: all, samples: Math.round(limit * batch), shapes },
    sites,
    unmeasured,
  };
}

/** A site and its input; `why` it cannot be looked into. */
interface Place {
  readonly site: Site;
  readonly input: string;
  /** Whether the input is one of the model. */
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
  return { site, input, fed: !made, meter, why: obstacle(site, made) };
}

function obstacle({ scope, ...site }: Site, made: boolean): string | undefined {
  if (scope.kind === 'function') return 'tensors in a function cannot be made outputs';
  if (scope.parent !== undefined) return 'tensors in the body of a node cannot be made outputs';
  const input = inputOf(site);
  if (!made && scope.initializers.has(input)) return 'what goes into it is a constant of the model';
  return undefined;
}

/** Opens the model as it is and runs it once, so that what is wrong with model or data is not the fault of a site. */
async function tryOut(
  { file }: LoadedModel,
  { provider, data, session, signal }: ActivationsOptions & OnProvider,
): Promise<{ dataset: Dataset<Feeds>; shapes: Record<string, readonly number[]> }> {
  stopIfAborted(signal);
  const opened = await provider.open(file, session);
  try {
    const dataset = data(opened.inputs, opened.outputs);
    const feed = await firstFeed(dataset.feeds);
    if (feed === undefined) throw new OnnxMishError('bad-data', 'there is nothing to feed the model with');
    await opened.run(feed);
    return { dataset, shapes: dimsOf(feed) };
  } finally {
    await opened.close();
  }
}

function samplesOfRun({ samples, feeds }: Dataset<Feeds>, shapes: Record<string, readonly number[]>): number {
  return samples === undefined ? (Object.values(shapes)[0]?.[0] ?? 1) || 1 : samples / feeds.length;
}

type Result =
  | { readonly why: string }
  | { readonly why?: undefined; readonly statistics: InputStatistics; readonly dims: readonly number[] };

/** What a pass needs besides its places. */
interface Work {
  readonly model: LoadedModel;
  readonly feeds: Feeds;
  readonly provider: Provider;
  readonly session: SessionOptions | undefined;
  readonly signal: AbortSignal | undefined;
  /** Told after each run of a pass. */
  readonly ran: (places: number, runs: number) => void;
}

async function measureAll(
  places: readonly Place[],
  { feeds, runs }: { readonly feeds: Feeds; readonly runs: number },
  model: LoadedModel,
  options: ActivationsOptions & OnProvider,
): Promise<Map<Place, Result>> {
  const { chunk = 48, bytes = 2 ** 28, provider, session, signal, onProgress } = options;
  const results = new Map<Place, Result>();
  let size = Math.min(chunk, FIRST);
  for (let at = 0; at < places.length; ) {
    const part = places.slice(at, at + size);
    const ran = (count: number, run: number) => onProgress?.(at * runs + count * run, places.length * runs);
    const largest = await measurePart(part, { model, feeds, provider, session, signal, ran }, results);
    at += part.length;
    // What comes next is about as large as what came last, or a few times that.
    const fitting = Math.floor((bytes * part.length) / Math.max(1, largest));
    size = Math.max(1, Math.min(chunk, fitting, 4 * size));
  }
  return results;
}

/** Measures some places; halves them until what fails is alone. Gives the bytes of the largest run. */
async function measurePart(part: readonly Place[], work: Work, results: Map<Place, Result>): Promise<number> {
  try {
    return await runPart(part, work, results);
  } catch (error) {
    if (!(error instanceof OnnxMishError) || error.code !== 'run-failed') throw error;
    const [only] = part;
    if (part.length === 1 && only !== undefined) {
      results.set(only, { why: error.what });
      return 0;
    }
    const half = Math.ceil(part.length / 2);
    const left = await measurePart(part.slice(0, half), work, results);
    return left + (await measurePart(part.slice(half), work, results));
  }
}

async function runPart(part: readonly Place[], work: Work, results: Map<Place, Result>): Promise<number> {
  const { model, feeds, provider, session, signal, ran } = work;
  const inside = [...new Set(part.filter(({ fed }) => !fed).map(({ input }) => input))];
  const rows = part.map((place) => ({
    place,
    meter: place.meter(),
    dims: undefined as readonly number[] | undefined,
  }));
  let largest = 0;
  const measure = async (exposed: ExposedModel) => {
    const opened = await provider.open(exposed.file, session);
    try {
      let runs = 0;
      for await (const feed of feeds) {
        stopIfAborted(signal);
        const outputs = await opened.run(feed);
        largest = Math.max(largest, sizeOf(outputs));
        for (const row of rows) {
          const { input, fed } = row.place;
          const tensor = fed ? own(feed, input) : exposed.get(outputs, input);
          row.meter.add(tensor);
          row.dims ??= tensor?.dims;
        }
        ran(part.length, ++runs);
      }
    } finally {
      await opened.close();
    }
  };
  await withExposed(model, inside, undefined, measure);
  for (const { place, meter, dims } of rows) {
    results.set(
      place,
      dims === undefined ? { why: 'no run gave what goes into it' } : { statistics: meter.result(), dims },
    );
  }
  return largest;
}

function sizeOf(tensors: Tensors): number {
  return Object.values(tensors).reduce(
    (sum, { data }) => sum + (ArrayBuffer.isView(data) ? data.byteLength : 0),
    0,
  );
}
