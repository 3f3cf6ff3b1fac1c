import type * as Ort from 'onnxruntime-web';
import { stopIfAborted } from '../../base/abort.js';
import { messageOf, OnnxMishError } from '../../base/error.js';
import { sha256 } from '../../base/sha256.js';
import { costOf } from '../../mish/costs.js';
import type { FormName } from '../../mish/forms.js';
import type { SwapReport } from '../../mish/results.js';
import { swapChoices } from '../../mish/swap-choices.js';
import type { OnnxDocument } from '../../onnx/document.js';
import {
  dataLocations,
  hasOutsideNumbers,
  type OpenData,
  readOutsideNumbers,
} from '../../onnx/outside-numbers.js';
import { scan } from '../../onnx/scan.js';
import { toSource } from '../../onnx/source.js';
import { DISABLED_OPTIMISERS } from '../../providers/fusions.js';
import { MISSING, WEB, WEB_PROVIDERS, type WebProvider } from '../../providers/web-providers.js';
import { isOfNativeKernels } from '../../providers/webgpu/known-bugs.js';
import { createInTurn } from '../harness/create-in-turn.js';
import { missingFor } from '../harness/facts.js';
import { openCache } from './cache.js';
import { type ExternalFile, externalFiles, rereadWithData } from './external.js';
import { type FetchProgress, type FileSource, openFile } from './fetch.js';
import {
  type PreparedOrRefused,
  type PrepareOptions,
  prepare,
  type Refusal,
  type Swapping,
} from './prepare.js';

/** The module of ONNX Runtime Web that a page imports: `import * as ort from 'onnxruntime-web/all'`. */
export interface OrtWeb {
  readonly InferenceSession: Pick<typeof Ort.InferenceSession, 'create'>;
  /** ONNX Runtime's settings; they show which WebGPU kernels the build has. */
  readonly env?: { readonly webgpu?: object | undefined } | undefined;
}

/** Progress of `createMishSession`. */
export type MishProgress =
  | ({ readonly phase: 'fetch' } & FetchProgress)
  /** The model is being swapped for a provider, or read from the cache. */
  | { readonly phase: 'swap'; readonly provider: WebProvider }
  /** ONNX Runtime is creating the session. */
  | { readonly phase: 'open'; readonly provider: WebProvider };

/** Facts about a session that `createMishSession` created. */
export interface MishSession {
  /** The provider that runs the model. With WebGPU, nodes without a WebGPU kernel run on WASM. */
  readonly provider: WebProvider;
  /** Providers that were tried before, with the reasons why they cannot run the model. */
  readonly refused: readonly Refusal[];
  readonly form: FormName;
  /** The report of the swap, as `swap` returns it. */
  readonly report: SwapReport;
  /** Time that the model takes on CPUs beside the original, in words; undefined if no Mish was written. */
  readonly cost: string | undefined;
  /** Known bugs of the provider that may affect this model, as sentences. */
  readonly suspicions: readonly string[];
  /**
   * Whether the swapped model came from the cache, was stored there, or could not be stored; undefined without a
   * cache. A model with numbers in data files is not stored, nor one for WebGL, which has its data inside: the files may change.
   */
  readonly cache: 'hit' | 'stored' | 'unavailable' | undefined;
}

export interface MishSessionOptions extends Swapping {
  /** Providers in the order to try them; default: WebGL, then WASM. */
  readonly providers?: readonly WebProvider[] | undefined;
  /** Form of Mish; default `auto`: the fastest form that the provider can run. */
  readonly form?: FormName | 'auto' | undefined;
  /**
   * External data files, by the location in the model. Missing files are fetched from the model's folder where the
   * model has a URL.
   */
  readonly externalData?: readonly ExternalFile[] | undefined;
  /** Cache Storage for the swapped model: a cache name, or true for `onnx-mish`. */
  readonly cache?: boolean | string | undefined;
  /** Options for ONNX Runtime. On WebGL, `freeDimensionOverrides` set the sizes of symbolic dimensions. */
  readonly session?:
    | Omit<Ort.InferenceSession.SessionOptions, 'executionProviders' | 'externalData'>
    | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: MishProgress) => void) | undefined;
  /** Receives facts about the session before it is returned. */
  readonly onSession?: ((made: MishSession) => void) | undefined;
}

/**
 * Fetches a model, swaps ReLU and LeakyReLU for Mish, and creates a session on the first provider that can run the
 * model. Each provider gets a form of Mish that it can run; a Mish already in the model gets this form, too. On WebGL
 * every run must have the shapes of the first run, and remaining ReLU nodes are rewritten where WebGL computes them
 * wrongly.
 *
 * Throws `io`, `not-onnx`, `malformed`, `external-data`, `bad-usage`, `unsupported-form` and `aborted`;
 * `provider-unavailable` with a reason for each provider when none can run the model.
 *
 * @example
 * import { createMishSession } from 'onnx-mish/web';
 * import * as ort from 'onnxruntime-web/all';
 *
 * const session = await createMishSession(ort, 'model.onnx', { providers: ['webgl', 'wasm'] });
 * const { y } = await session.run({ x: new ort.Tensor('float32', [1, 2, 3], [1, 3]) });
 */
export async function createMishSession(
  ort: OrtWeb,
  source: FileSource,
  options: MishSessionOptions = {},
): Promise<Ort.InferenceSession> {
  const { providers = DEFAULT_PROVIDERS } = options;
  checkProviders(providers);
  const models = await openModels(source, options);
  try {
    return await openFirst(ort, models, providers, options);
  } finally {
    await models.end();
  }
}

/** Creates a session on the first provider that is available and can run the model. */
async function openFirst(
  ort: OrtWeb,
  models: Models,
  providers: readonly WebProvider[],
  { session: sessionOptions, signal, onProgress, onSession }: MishSessionOptions,
): Promise<Ort.InferenceSession> {
  const refused: Refusal[] = [];
  for (const provider of providers) {
    const missing = await missingFor(provider);
    if (missing !== undefined) {
      refused.push({ provider, reason: MISSING[missing].reason, fix: UPDATE });
      continue;
    }
    stopIfAborted(signal, models.name);
    onProgress?.({ phase: 'swap', provider });
    const { prepared, cache } = await models.prepare(provider);
    if (!prepared.ready) {
      refused.push(prepared.refusal);
      continue;
    }
    const { model, report, suspicions, unfused, externalData } = prepared;
    const external = externalData.length > 0 ? await models.external(externalData) : [];
    stopIfAborted(signal, models.name);
    onProgress?.({ phase: 'open', provider });
    const opened = await createInTurn(ort, model, {
      ...without(unfused, sessionOptions),
      executionProviders: [provider],
      ...(external.length > 0 ? { externalData: external } : {}),
    }).catch((error: unknown) => refusalOf(provider, messageOf(error)));
    if ('reason' in opened) {
      refused.push(opened);
      continue;
    }
    if (signal?.aborted) await opened.release();
    stopIfAborted(signal, models.name);
    const bugs = hasOlderWebgpu(ort) ? suspicions.filter((bug) => !isOfNativeKernels(bug)) : suspicions;
    const { form } = report;
    onSession?.({ provider, refused, form, report, cost: costOf(report), suspicions: bugs, cache });
    return opened;
  }
  throw noProvider(refused, models.name);
}

/** Returns session options that leave out these optimisers, too. ONNX Runtime takes the option's name whole or in parts. */
function without(
  unfused: string | undefined,
  options: MishSessionOptions['session'] = {},
): NonNullable<MishSessionOptions['session']> {
  if (unfused === undefined) return options;
  const { [DISABLED_OPTIMISERS]: whole, ...extra } = options.extra ?? {};
  const [group = '', name = ''] = DISABLED_OPTIMISERS.split('.');
  const parts = extra[group] as Readonly<Record<string, unknown>> | undefined;
  const names = [parts?.[name], whole, unfused].filter((one) => typeof one === 'string' && one !== '');
  return { ...options, extra: { ...extra, [DISABLED_OPTIMISERS]: names.join(';') } };
}

/**
 * Returns whether `ort` is `onnxruntime-web/all`, whose WebGPU kernels (JSEP) differ from those of
 * `onnxruntime-web/webgpu`. Only `all` makes `env.webgpu.adapter` read-only when it starts (backend-webgpu.ts of
 * onnxruntime-web 1.30). With `env.wasm.proxy` it starts in a worker, so that this function returns false.
 */
function hasOlderWebgpu({ env }: OrtWeb): boolean {
  const adapter = env?.webgpu && Object.getOwnPropertyDescriptor(env.webgpu, 'adapter');
  return adapter?.writable === false;
}

const DEFAULT_PROVIDERS: readonly WebProvider[] = ['webgl', 'wasm'];

const UPDATE = 'Update the browser and the graphics driver, or name another provider';

function checkProviders(providers: readonly WebProvider[]): void {
  const unknown = providers.find((name) => !WEB_PROVIDERS.includes(name));
  if (unknown === undefined && providers.length > 0) return;
  const what =
    unknown === undefined ? 'the list of providers is empty' : `'${unknown}' is not a provider of a page`;
  throw new OnnxMishError('bad-usage', what, { fix: `Choose from ${WEB_PROVIDERS.join(', ')}` });
}

/** Turns an error of ONNX Runtime into the reason why a provider cannot open the model. */
function refusalOf(provider: WebProvider, message: string): Refusal {
  if (!/backend not found/.test(message)) return { provider, reason: message };
  return {
    provider,
    reason: `this build of onnxruntime-web has no ${provider}`,
    fix: "Import it from 'onnxruntime-web/all'",
  };
}

function noProvider(refused: readonly Refusal[], where: string): OnnxMishError {
  const reasons = refused.map(({ provider, reason }) => `${provider}: ${reason}`).join('; ');
  const [fix] = [...refused.flatMap(({ fix }) => fix ?? []), 'Name another provider, such as wasm'];
  return new OnnxMishError('provider-unavailable', `no provider can run the model. ${reasons}`, {
    where,
    fix,
  });
}

type Models = Awaited<ReturnType<typeof openModels>>;

/** Prepares a model for providers. The model is fetched at most once, and only when it is needed. */
async function openModels(source: FileSource, options: MishSessionOptions) {
  const { opset, signal } = options;
  const onProgress = (progress: FetchProgress) => options.onProgress?.({ phase: 'fetch', ...progress });
  const fetching = { signal, onProgress };
  const dims = options.session?.freeDimensionOverrides ?? {};
  const settings: PrepareOptions = { ...swapChoices(options), form: options.form ?? 'auto', dims, opset };
  const name = typeof options.cache === 'string' ? options.cache : 'onnx-mish';
  const cache = options.cache ? await openCache(name) : undefined;
  const file = await openFile(source, 'model', fetching);

  let fetched: Promise<Blob> | undefined;
  const content = () => {
    fetched ??= file.content();
    return fetched;
  };
  let external: ReturnType<typeof externalFiles> | undefined;
  let scanned: Promise<{ document: OnnxDocument; openData: OpenData | undefined }> | undefined;
  const externalOf = (locations: readonly string[]) => {
    external ??= externalFiles(locations, options.externalData ?? [], file, fetching);
    return external;
  };
  const read = async () => {
    const document = await scan(toSource(await content(), file.name));
    if (!hasOutsideNumbers(document)) return { document, openData: undefined };
    const { openFrom } = await import('../../onnx/data-in-memory.js');
    const openData = openFrom(await externalOf(dataLocations(document)), file.name);
    await readOutsideNumbers(document, openData);
    return { document, openData };
  };
  const make = async (provider: WebProvider) => {
    scanned ??= read();
    const { document, openData } = await scanned;
    if (WEB[provider].takesExternalData || document.external.length === 0)
      return {
        prepared: await prepare(document, provider, settings, openData),
        readsData: openData !== undefined,
      };
    // Before the preparation, which reads sizes and other numbers of the model.
    const whole = await rereadWithData(document, await externalOf(dataLocations(document)));
    return { prepared: await prepare(whole, provider, settings), readsData: true };
  };

  let hash: string | undefined;
  async function hashOfContent(of: NonNullable<typeof cache>): Promise<string> {
    const known = file.validator === undefined ? undefined : await of.hashOf(file.validator);
    if (known !== undefined) return known;
    return sha256(new Uint8Array(await (await content()).arrayBuffer()));
  }

  return {
    name: file.name,
    async prepare(
      provider: WebProvider,
    ): Promise<{ prepared: PreparedOrRefused; cache: MishSession['cache'] }> {
      if (cache === undefined)
        return {
          prepared: (await make(provider)).prepared,
          cache: options.cache ? 'unavailable' : undefined,
        };
      hash ??= await hashOfContent(cache);
      const key = JSON.stringify([provider, settings]);
      const kept = await cache.load(hash, key);
      if (kept !== undefined) {
        return { prepared: kept, cache: 'hit' };
      }
      const { prepared, readsData } = await make(provider);
      if (readsData) return { prepared, cache: 'unavailable' }; // the key has nothing of data files, which may change
      const stored = await cache.store(hash, key, prepared, file.validator);
      return { prepared, cache: stored ? 'stored' : 'unavailable' };
    },
    /** Cancels a download that is not needed, because the model came from the cache. */
    async end() {
      if (fetched === undefined) await file.drop();
    },
    external: externalOf,
  };
}
