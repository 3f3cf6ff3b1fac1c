import { OnnxMishError } from '../base/error.js';
import { seededFeeds } from '../data/dataset.js';
import type { ShapeOptions } from '../data/shapes.js';
import { refuseExternal } from '../files/external-data.js';
import { inspectDocument } from '../mish/inspect-document.js';
import type { BrowserSettings } from '../providers/browser/provider.js';
import { type LoadedModel, modelFromBytes } from '../providers/loaded-model.js';
import { PROVIDERS, type ProviderName, type RunnableModel, type ValueInfo } from '../providers/provider.js';
import { modelInfo } from '../validate/model-info.js';
import type { InspectedModel, ValidationOptions } from '../validate/options.js';
import type { ModelInfo, Report } from '../validate/report-schema.js';
import { validateModels } from '../validate/validate.js';
import { hashModel, host } from './host.js';
import { type LoadOptions, withModel } from './load-model.js';
import { getProvider, requireRuntimes } from './provider-by-name.js';

/** A model to validate, with its description. */
export interface Candidate {
  /** A path, with external data in the same folder, or bytes. */
  readonly model: RunnableModel;
  readonly info: ModelInfo;
}

/**
 * Describes a model file for validation. A model from a pipe is kept in memory. Throws as `inspect` does, `io`,
 * `external-data` and `aborted`.
 *
 * @example
 * import { fileCandidate, validateFiles } from 'onnx-mish/validate';
 *
 * const original = await fileCandidate('model.onnx', 'LeNet-5');
 * const report = await validateFiles(original, 'model.mish.onnx');
 */
export function fileCandidate(
  path: string,
  name = path,
  signal?: AbortSignal | undefined,
): Promise<Candidate> {
  return candidateAt(path, name, { signal });
}

/** Describes a model file as `fileCandidate` does, with the access to data files that the session has. */
export function candidateAt(path: string, name: string, options: LoadOptions): Promise<Candidate> {
  return withModel(path, (model) => candidateOf(model, name), options);
}

/**
 * Describes a model in memory for validation. Throws as `inspect` does, and `external-data` if the model has such data.
 *
 * @example
 * import { bytesCandidate, validateFiles } from 'onnx-mish/validate';
 *
 * const report = await validateFiles('model.onnx', await bytesCandidate(bytes, 'swapped'));
 */
export async function bytesCandidate(bytes: Uint8Array, name: string): Promise<Candidate> {
  const model = await modelFromBytes(bytes, name);
  refuseExternal(model.document, 'Move the data into the model with `inlineExternalData`, or give its path');
  return candidateOf(model, name);
}

async function candidateOf({ file, document }: LoadedModel, name: string): Promise<Candidate> {
  return { model: file, info: modelInfo(name, await inspectDocument(document), await hashModel(file)) };
}

export interface ValidateOptions extends Omit<ValidationOptions, 'original' | 'swapped'> {
  readonly original: Candidate;
  readonly swapped: Candidate;
}

/**
 * Validates a swapped model against its original. Throws as `validateModels` and `scan` do, and `io`.
 *
 * @example
 * import { getProvider } from 'onnx-mish/node';
 * import { fileCandidate, seededFeeds, validate } from 'onnx-mish/validate';
 *
 * const cpu = getProvider('cpu');
 * const report = await validate({
 *   original: await fileCandidate('model.onnx'),
 *   swapped: await fileCandidate('model.mish.onnx'),
 *   providers: [cpu],
 *   cpu,
 *   data: (inputs) => seededFeeds(inputs, {}),
 *   host: { os: 'Linux', arch: 'x64', cpu: 'unknown', cores: 2, memory: 8e9, node: process.versions.node },
 * });
 */
export function validate({ original, swapped, ...options }: ValidateOptions): Promise<Report> {
  const inspected = <T>({ model, info }: Candidate, use: (inspected: InspectedModel) => Promise<T>) =>
    withModel(model, (loaded) => use({ model: loaded, info }), options);
  return inspected(original, (first) =>
    inspected(swapped, (second) => validateModels({ ...options, original: first, swapped: second })),
  );
}

export interface FileValidation
  extends Partial<
      Pick<
        ValidateOptions,
        'data' | 'session' | 'latency' | 'thresholds' | 'perLayer' | 'profile' | 'signal' | 'onProgress'
      >
    >,
    ShapeOptions,
    Pick<BrowserSettings, 'browser' | 'timeoutMs'> {
  /** Names of the providers; default `cpu`. */
  readonly providers?: readonly string[] | undefined;
  /** Seed of the noise, the default for `data`. */
  readonly seed?: number | undefined;
  /** Number of runs on noise; default 4. */
  readonly runs?: number | undefined;
}

/**
 * Compares two model files, or candidates, on providers of this process and of a browser. Throws as `validate` does, and
 * `bad-usage` for an unknown provider.
 *
 * @example
 * import { validateFiles } from 'onnx-mish/validate';
 *
 * const report = await validateFiles('model.onnx', 'model.mish.onnx', {
 *   providers: ['cpu', 'wasm'],
 *   thresholds: { minSqnr: 20 },
 * });
 * console.log(report.passed);
 */
export async function validateFiles(
  original: string | Candidate,
  swapped: string | Candidate,
  options: FileValidation = {},
): Promise<Report> {
  const { browser, timeoutMs, signal, session } = options;
  const settings = { browser, timeoutMs, signal, threads: session?.threads };
  const names = [...new Set(options.providers ?? ['cpu'])].map(providerName);
  const providers = names.map((name) => getProvider(name, settings));
  const { seed, runs = 4 } = options;
  const noise = (inputs: readonly ValueInfo[]) =>
    seededFeeds(inputs, { ...options, seed, count: Math.max(1, runs) });
  if (providers.length === 0) {
    throw new OnnxMishError('bad-usage', 'no provider was named', {
      fix: `Choose from ${PROVIDERS.join(', ')}`,
    });
  }
  requireRuntimes(names);
  return validate({
    ...options,
    data: options.data ?? noise,
    original: typeof original === 'string' ? await candidateAt(original, original, options) : original,
    swapped: typeof swapped === 'string' ? await candidateAt(swapped, swapped, options) : swapped,
    providers,
    cpu: getProvider('cpu'),
    host: host(),
  });
}

function providerName(name: string): ProviderName {
  const known = PROVIDERS.find((provider) => provider === name);
  if (known !== undefined) return known;
  throw new OnnxMishError('bad-usage', `'${name}' is not a provider`, {
    fix: `Choose from ${PROVIDERS.join(', ')}`,
  });
}
