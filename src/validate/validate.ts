import type { FormName } from '../mish/forms.js';
import { OnnxMishError } from '../onnx/error.js';
import type { FloatType } from '../onnx/types.js';
import type { Tensor, Tensors } from '../providers/tensor.js';
import type { Provider, Session, SessionOptions, ValueInfo } from '../providers/types.js';
import { VERSION } from '../version.js';
import type { Dataset } from './feeds.js';
import { hashFeeds } from './hash.js';
import { type LatencyOptions, measureLatency } from './latency.js';
import { accuracy, type Drift, driftMeter, looksLikeScores } from './metrics.js';
import {
  type Host,
  type ModelInfo,
  type ProviderRow,
  parseReport,
  REPORT_SCHEMA,
  type Report,
} from './report.js';
import { sweep } from './sweep.js';
import { judge, type Thresholds } from './thresholds.js';

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
  readonly data: (inputs: readonly ValueInfo[], outputs: readonly ValueInfo[]) => Dataset;
  readonly host: Omit<Host, 'onnxruntime'>;
  readonly session?: SessionOptions | undefined;
  /** False to measure none. */
  readonly latency?: LatencyOptions | false | undefined;
  readonly thresholds?: Thresholds | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told what is being done. */
  readonly onProgress?: ((step: string) => void) | undefined;
}

/**
 * Compares a swapped model with its original on each provider: kernel error, drift of every output,
 * parity with the CPU, labelled accuracy, latency. A provider that is missing or fails is a row that says
 * so. Throws `bad-data` when feeds and model do not fit, `run-failed` when one of the models does not even
 * run on the CPU, `aborted`.
 */
export async function validate(options: ValidateOptions): Promise<Report> {
  const { original, swapped, cpu, thresholds = {}, onProgress = () => {} } = options;
  onProgress('opening the models');
  await cpu.availability(); // which also tells the version
  const models = await openBoth(cpu, options);
  try {
    const dataset = options.data(models.original.inputs, models.original.outputs);
    onProgress('running on the CPU');
    const baseline = await runBoth(models, dataset, options.signal);
    const providers: ProviderRow[] = [];
    for (const provider of options.providers) {
      onProgress(`measuring on ${provider.name}`);
      providers.push(
        provider.name === cpu.name
          ? await measure(provider, models, baseline, dataset, options)
          : await runElsewhere(provider, baseline, dataset, options),
      );
    }
    const verdicts = providers
      .filter((row) => row.status !== 'unavailable')
      .flatMap((row) => judge(row.provider, row, thresholds));
    return parseReport({
      schema: REPORT_SCHEMA,
      created: new Date().toISOString(),
      tool: { name: 'onnx-mish', version: VERSION },
      host: { ...options.host, onnxruntime: cpu.version },
      models: { original: original.info, swapped: swapped.info },
      data: await describeData(dataset),
      providers,
      verdicts,
      passed:
        verdicts.every((verdict) => verdict.passed) && providers.every((row) => row.status !== 'failed'),
    } satisfies Report);
  } finally {
    await closeBoth(models);
  }
}

interface Both<T> {
  readonly original: T;
  readonly swapped: T;
}

async function openBoth(provider: Provider, options: ValidateOptions): Promise<Both<Session>> {
  const original = await provider.open(options.original.model, options.session);
  try {
    return { original, swapped: await provider.open(options.swapped.model, options.session) };
  } catch (error) {
    await original.close();
    throw error;
  }
}

async function closeBoth({ original, swapped }: Both<Session>): Promise<void> {
  await original.close();
  await swapped.close();
}

/** What both models give for every feed. */
async function runBoth(
  models: Both<Session>,
  dataset: Dataset,
  signal: AbortSignal | undefined,
): Promise<Both<Tensors[]>> {
  const results: Both<Tensors[]> = { original: [], swapped: [] };
  for (const feeds of dataset.feeds) {
    if (signal?.aborted) throw new OnnxMishError('aborted', 'interrupted');
    results.original.push(await models.original.run(feeds));
    results.swapped.push(await models.swapped.run(feeds));
  }
  return results;
}

const EMPTY = { kernel: [], drift: [], parity: null, expected: null, accuracy: null, latency: null };

async function runElsewhere(
  provider: Provider,
  baseline: Both<Tensors[]>,
  dataset: Dataset,
  options: ValidateOptions,
): Promise<ProviderRow> {
  const available = await provider.availability();
  if (!available.available) {
    const { reason, fix } = available;
    return { provider: provider.name, status: 'unavailable', reason, fix, ...EMPTY };
  }
  try {
    const models = await openBoth(provider, options);
    try {
      const results = await runBoth(models, dataset, options.signal);
      const row = await measure(provider, models, results, dataset, options);
      const parity = {
        original: drifts(models.original, baseline.original, results.original),
        swapped: drifts(models.swapped, baseline.swapped, results.swapped),
      };
      return { ...row, parity };
    } finally {
      await closeBoth(models);
    }
  } catch (error) {
    if (!(error instanceof OnnxMishError) || error.code === 'aborted') throw error;
    return {
      provider: provider.name,
      status: 'failed',
      reason: error.what,
      fix: error.fix ?? null,
      ...EMPTY,
    };
  }
}

async function measure(
  provider: Provider,
  models: Both<Session>,
  results: Both<Tensors[]>,
  dataset: Dataset,
  options: ValidateOptions,
): Promise<ProviderRow> {
  const { swapped } = options;
  const kernel = [];
  for (const { form, beta, elemType } of swapped.info.mish) {
    const mish = { kind: 'mish', form: form as FormName, beta } as const;
    kernel.push(await sweep(provider, mish, elemType as FloatType, swapped.info.opset, options.session));
  }
  const [feeds] = dataset.feeds;
  const latency =
    options.latency === false || feeds === undefined
      ? null
      : await measureLatency(models.original, models.swapped, [feeds, feeds], {
          ...options.latency,
          signal: options.signal,
        });
  return {
    provider: provider.name,
    status: 'ran',
    reason: null,
    fix: null,
    kernel,
    drift: drifts(models.original, results.original, results.swapped),
    parity: null,
    expected:
      dataset.expected === undefined ? null : drifts(models.original, dataset.expected, results.original),
    accuracy: labelled(results, dataset.labels),
    latency,
  };
}

function drifts(session: Session, references: readonly Tensors[], got: readonly Tensors[]): Drift[] {
  return session.outputs.map(({ name }) => {
    const meter = driftMeter(name);
    references.forEach((reference, run) => {
      meter.add(reference[name], got[run]?.[name]);
    });
    return meter.result();
  });
}

/** Accuracy at the first output that looks like class scores. Throws `bad-data` where there is none. */
function labelled(results: Both<Tensors[]>, labels: readonly number[] | undefined): ProviderRow['accuracy'] {
  const [first] = results.original;
  if (labels === undefined || first === undefined) return null;
  const output = Object.keys(first).find((name) => looksLikeScores(first[name] as Tensor));
  if (output === undefined) {
    throw new OnnxMishError('bad-data', 'no output looks like class scores, so labels say nothing', {
      fix: 'Leave out --labels',
    });
  }
  const of = (runs: readonly Tensors[]) =>
    accuracy(
      runs.map((run) => run[output] as Tensor),
      labels,
    );
  return { output, original: of(results.original), swapped: of(results.swapped) };
}

async function describeData(dataset: Dataset): Promise<Report['data']> {
  const [first = {}] = dataset.feeds;
  const shapes = Object.fromEntries(Object.entries(first).map(([name, { dims }]) => [name, [...dims]]));
  const runs = dataset.feeds.length;
  const batch = Object.values(shapes)[0]?.[0] ?? 1;
  return {
    source: dataset.source,
    seed: dataset.seed ?? null,
    runs,
    samples: dataset.source === 'npz' ? runs * batch : runs,
    shapes,
    sha256: await hashFeeds(dataset.feeds),
    labelled: dataset.labels !== undefined,
  };
}
