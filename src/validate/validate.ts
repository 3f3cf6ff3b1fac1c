import type { FormName } from '../mish/forms.js';
import type { Kernel } from '../mish/kernel.js';
import { OnnxMishError } from '../onnx/error.js';
import type { FloatType } from '../onnx/types.js';
import type { Tensors } from '../providers/tensor.js';
import type { Placement, Provider, Session, SessionOptions, Shapes, ValueInfo } from '../providers/types.js';
import { VERSION } from '../version.js';
import { type Both, compare } from './compare.js';
import { type Dataset, type Feeds, firstFeed } from './feeds.js';
import { hashFeeds } from './hash.js';
import { layersInside, partings } from './inside.js';
import { type LatencyOptions, measureLatency } from './latency.js';
import { observePlacement, profileModels } from './profile.js';
import {
  type Host,
  type KernelSweep,
  type ModelInfo,
  type ProviderRow,
  parseReport,
  REPORT_SCHEMA,
  type Report,
} from './report.js';
import { sweep } from './sweep.js';
import { checkThresholds, judge, type Thresholds } from './thresholds.js';
import { floatsOf } from './tolerance.js';

/** A model to validate: what to open, and what is known of it. */
export interface Candidate {
  /** A path, where external data is found beside it, or the bytes. */
  readonly model: string | Uint8Array;
  readonly info: ModelInfo;
}

export interface ValidateOptions {
  readonly original: Candidate;
  readonly swapped: Candidate;
  /** Where to run. */
  readonly providers: readonly Provider[];
  /** The reference for parity. */
  readonly cpu: Provider;
  /** Makes the feeds, once the inputs and outputs of the original are known. */
  readonly data: (inputs: readonly ValueInfo[], outputs: readonly ValueInfo[]) => Dataset<Feeds>;
  readonly host: Omit<Host, 'onnxruntime'>;
  readonly session?: SessionOptions | undefined;
  /** False to measure none. */
  readonly latency?: LatencyOptions | false | undefined;
  readonly thresholds?: Thresholds | undefined;
  /** Compare the tensors inside as well: original and swapped on the CPU, and each provider with the CPU. */
  readonly perLayer?: boolean | undefined;
  /** Have ONNX Runtime's profiler say where the time goes, on the providers of this process. */
  readonly profile?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told what is being done. */
  readonly onProgress?: ((step: string) => void) | undefined;
}

/**
 * Compares a swapped model with its original on each provider: kernel error, drift of every output,
 * parity with the CPU, labelled accuracy, latency. A provider that is missing or fails is a row that says
 * so. Throws `bad-data` when feeds and models do not fit, `run-failed` when one of the models does not even
 * run on the CPU, `bad-usage` for a threshold that is no number, `aborted`.
 */
export async function validate(options: ValidateOptions): Promise<Report> {
  const { original, swapped, cpu, thresholds = {}, onProgress = () => {} } = options;
  checkThresholds(thresholds);
  onProgress('opening the models');
  await cpu.availability(); // which also tells the version
  const baseline = await openBoth(cpu, options);
  try {
    checkInputs(baseline);
    const dataset = options.data(baseline.original.inputs, baseline.original.outputs);
    const rows = new Map<Provider, ProviderRow>();
    const isCpu = ({ name }: Provider) => name === cpu.name;
    // The CPU comes first: as the reference of the others it would have run before its first run is timed.
    for (const provider of options.providers.toSorted((a, b) => Number(isCpu(b)) - Number(isCpu(a)))) {
      onProgress(`measuring on ${provider.name}`);
      rows.set(
        provider,
        isCpu(provider)
          ? await measure(provider, baseline, undefined, dataset, options)
          : await measureElsewhere(provider, baseline, dataset, options),
      );
    }
    const providers = options.providers.flatMap((provider) => rows.get(provider) ?? []);
    const verdicts = providers
      .filter((row) => row.status !== 'unavailable')
      .flatMap((row) => judge(row.provider, row, thresholds, floatsOf(original.info, swapped.info)));
    return parseReport({
      schema: REPORT_SCHEMA,
      created: new Date().toISOString(),
      tool: { name: 'onnx-mish', version: VERSION },
      host: { ...options.host, onnxruntime: cpu.version },
      models: { original: original.info, swapped: swapped.info },
      data: await describeData(dataset),
      providers,
      layers: options.perLayer === true ? await layersInside(providers, dataset, options) : [],
      verdicts,
      passed:
        verdicts.every(({ passed, binding }) => passed || !binding) &&
        providers.every((row) => row.status !== 'failed') &&
        providers.some((row) => row.status === 'ran'),
    } satisfies Report);
  } finally {
    await closeBoth(baseline);
  }
}

async function openBoth(
  provider: Provider,
  options: ValidateOptions,
  shapes?: Both<Shapes>,
): Promise<Both<Session>> {
  const { session } = options;
  const original = await openOne(provider, options.original, { ...session, shapes: shapes?.original });
  try {
    const swapped = await openOne(provider, options.swapped, { ...session, shapes: shapes?.swapped });
    return { original, swapped };
  } catch (error) {
    await original.close();
    throw error;
  }
}

/** Opens a model; what fails is told by the model's name, since bytes have none of their own. */
async function openOne(
  provider: Provider,
  { model, info }: Candidate,
  options: SessionOptions | undefined,
): Promise<Session> {
  try {
    return await provider.open(model, options);
  } catch (error) {
    if (!(error instanceof OnnxMishError)) throw error;
    throw new OnnxMishError(error.code, error.what, { where: info.name, fix: error.fix, cause: error.cause });
  }
}

async function closeBoth({ original, swapped }: Both<Session>): Promise<void> {
  await Promise.allSettled([original.close(), swapped.close()]);
}

/** Both models are fed the same, so they have to take the same. */
function checkInputs({ original, swapped }: Both<Session>): void {
  const list = ({ inputs }: Session) =>
    inputs.map(({ name, elemType }) => `'${name}' (${elemType})`).toSorted();
  const [before, after] = [list(original), list(swapped)];
  if (before.join() === after.join()) return;
  throw new OnnxMishError(
    'bad-data',
    `the inputs of the swapped model are ${after.join(', ')}, and those of the original ${before.join(', ')}`,
    { fix: 'Give a model and the one that a swap made of it' },
  );
}

/** How many nodes that a provider cannot run are listed. */
const MOST_NODES = 50;

const EMPTY = {
  runtime: null,
  notes: [],
  retargeted: null,
  placement: null,
  parting: { original: null, swapped: null },
  profile: null,
  kernel: [],
  drift: [],
  parity: null,
  expected: null,
  accuracy: null,
  latency: null,
};

async function measureElsewhere(
  provider: Provider,
  baseline: Both<Session>,
  dataset: Dataset<Feeds>,
  options: ValidateOptions,
): Promise<ProviderRow> {
  const { original, swapped } = options;
  try {
    for (const [which, { model }] of [
      ['original', original],
      ['swapped model', swapped],
    ] as const) {
      const unsupported = await provider.check?.(model);
      if (unsupported === undefined) continue;
      const { reason, fix, nodes } = unsupported;
      const notes = [
        ...nodes.slice(0, MOST_NODES),
        ...(nodes.length > MOST_NODES ? [`and ${nodes.length - MOST_NODES} more`] : []),
      ];
      return {
        provider: provider.name,
        status: 'failed',
        ...EMPTY,
        reason: `the ${which} cannot run there: ${reason}`,
        fix,
        notes,
      };
    }
    const available = await provider.availability();
    if (!available.available) {
      const { reason, fix } = available;
      return { provider: provider.name, status: 'unavailable', reason, fix, ...EMPTY };
    }
    const models = await openBoth(provider, options, await shapesOf(baseline, dataset));
    try {
      return await measure(provider, models, baseline, dataset, options);
    } finally {
      await closeBoth(models);
    }
  } catch (error) {
    if (error instanceof OnnxMishError && error.code === 'aborted') throw error;
    // Whatever it was, the rows of the other providers still come.
    const known = error instanceof OnnxMishError;
    const reason = known ? error.what : error instanceof Error ? error.message : String(error);
    const fix = known ? (error.fix ?? null) : null;
    return { provider: provider.name, status: 'failed', reason, fix, ...EMPTY };
  } finally {
    await provider.close?.();
  }
}

/** What the models take and give in the first run, for providers that have to know beforehand. */
async function shapesOf(
  baseline: Both<Session>,
  { feeds }: Dataset<Feeds>,
): Promise<Both<Shapes> | undefined> {
  const first = await firstFeed(feeds);
  if (first === undefined) return undefined;
  const dims = (tensors: Tensors) =>
    Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, tensor.dims]));
  const shapes = async (session: Session) => {
    return { inputs: dims(first), outputs: dims(await session.run(first)) };
  };
  return { original: await shapes(baseline.original), swapped: await shapes(baseline.swapped) };
}

async function measure(
  provider: Provider,
  models: Both<Session>,
  reference: Both<Session> | undefined,
  dataset: Dataset<Feeds>,
  options: ValidateOptions,
): Promise<ProviderRow> {
  const { signal, latency } = options;
  const feeds = await firstFeed(dataset.feeds);
  const timed = latency === false || feeds === undefined ? undefined : { ...latency, signal };
  // Before anything else has run: later there is no first run any more.
  const first =
    timed && feeds && ([await models.original.time(feeds), await models.swapped.time(feeds)] as const);
  const comparison = await compare(models, reference, dataset, signal);
  const kernel: KernelSweep[] = [];
  for (const { activation, type, opset } of kernelsIn(options, models.swapped.retargeted)) {
    kernel.push(await sweep(provider, activation, type, opset, options.session));
  }
  const { original, swapped } = models;
  const native = swapped.runtime.browser === null;
  const both = { original: options.original.model, swapped: options.swapped.model };
  const { parting, suspicions } = await partings(provider, models, comparison, dataset, options);
  return {
    provider: provider.name,
    status: 'ran',
    reason: null,
    fix: null,
    runtime: swapped.runtime,
    notes: [...new Set([...(original.notes ?? []), ...(swapped.notes ?? []), ...suspicions])],
    retargeted: swapped.retargeted ?? null,
    placement:
      native && feeds && provider.name !== 'cpu' && options.session?.allowFallback === true
        ? {
            original: observed(await observePlacement(provider, both.original, feeds, options)),
            swapped: observed(await observePlacement(provider, both.swapped, feeds, options)),
          }
        : placementOf(models),
    parting,
    profile:
      native && feeds && options.profile === true
        ? await profileModels(provider, both, feeds, options)
        : null,
    kernel,
    ...comparison,
    latency:
      timed && feeds ? await measureLatency(original, swapped, [feeds, feeds], { first, ...timed }) : null,
  };
}

function placementOf({ original, swapped }: Both<Session>): ProviderRow['placement'] {
  if (original.placement === undefined || swapped.placement === undefined) return null;
  return { original: observed(original.placement), swapped: observed(swapped.placement) };
}

function observed({ counts, moved }: Placement) {
  return { counts: { ...counts }, moved: [...moved] };
}

/** The activations whose kernels are worth a sweep: the Mish of the swapped model, and what it was before. */
function kernelsIn(
  { original, swapped }: ValidateOptions,
  retargeted: string | undefined,
): { activation: Kernel; type: FloatType; opset: number }[] {
  const mish = swapped.info.mish.map(({ form, beta, elemType }) => {
    const activation = { kind: 'mish', form: (retargeted ?? form) as FormName, beta } as const;
    return { activation, type: elemType as FloatType, opset: swapped.info.opset };
  });
  const before = original.info.kinds.flatMap(({ kind, alpha, elemType }) => {
    const activation: Kernel | undefined =
      kind === 'relu' ? { kind } : kind === 'leakyrelu' && alpha !== null ? { kind, alpha } : undefined;
    return activation === undefined
      ? []
      : [{ activation, type: elemType as FloatType, opset: original.info.opset }];
  });
  return [...mish, ...before];
}

async function describeData(dataset: Dataset<Feeds>): Promise<Report['data']> {
  const first = (await firstFeed(dataset.feeds)) ?? {};
  const shapes = Object.fromEntries(Object.entries(first).map(([name, { dims }]) => [name, [...dims]]));
  const runs = dataset.feeds.length;
  const batch = Object.values(shapes)[0]?.[0] ?? 1;
  return {
    source: dataset.source,
    seed: dataset.seed ?? null,
    runs,
    samples: dataset.samples ?? runs * batch,
    shapes,
    sha256: await hashFeeds(dataset.feeds),
    labelled: dataset.labels !== undefined,
  };
}
