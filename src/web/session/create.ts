import type * as Ort from 'onnxruntime-web';
import { stopIfAborted } from '../../base/abort.js';
import { messageOf, OnnxMishError } from '../../base/error.js';
import type { FormName } from '../../mish/forms.js';
import type { SwapReport } from '../../mish/results.js';
import { scan } from '../../onnx/scan.js';
import { toSource } from '../../onnx/source.js';
import { MISSING, WEB_PROVIDERS, type WebProvider } from '../../providers/web-providers.js';
import { isOfNativeKernels } from '../../providers/webgpu/known-bugs.js';
import { missingFor } from '../harness/facts.js';
import { openCache, sha256 } from './cache.js';
import { type ExternalFile, externalFiles } from './external.js';
import { type FetchProgress, type FileSource, openFile } from './fetch.js';
import { type Prepared, type PrepareOptions, prepare, type Refusal, type Swapping } from './prepare.js';

/** ONNX Runtime Web, as a page imports it: `import * as ort from 'onnxruntime-web/all'`. */
export interface OrtWeb {
  readonly InferenceSession: Pick<typeof Ort.InferenceSession, 'create'>;
  /** Its settings, where ONNX Runtime leaves what its WebGPU is made of. */
  readonly env?: { readonly webgpu?: object | undefined } | undefined;
}

/** How far it is. */
export type MishProgress =
  | ({ readonly phase: 'fetch' } & FetchProgress)
  /** The model is swapped for a provider, or taken from the cache. */
  | { readonly phase: 'swap'; readonly provider: WebProvider }
  /** ONNX Runtime opens it. */
  | { readonly phase: 'open'; readonly provider: WebProvider };

/** What a session was made with. */
export interface MishSession {
  /** The provider that runs it. WebGPU leaves to WASM what it has no kernel for. */
  readonly provider: WebProvider;
  /** The providers that were to be tried before, and why they do not run it. */
  readonly refused: readonly Refusal[];
  readonly form: FormName;
  /** What the swap did. */
  readonly report: SwapReport;
  /** What the provider may compute wrong, of what is known of it. */
  readonly suspicions: readonly string[];
  /** Whether the swapped model was in the cache, is now, or could not be kept; undefined where it was not to be. */
  readonly cache: 'hit' | 'stored' | 'unavailable' | undefined;
}

export interface MishSessionOptions extends Swapping {
  /** To be tried in this order; WebGL, then WASM unless given. */
  readonly providers?: readonly WebProvider[] | undefined;
  /** How to write Mish; unless given, `auto`: as each provider can run it, and runs it fast. */
  readonly form?: FormName | 'auto' | undefined;
  /**
   * The files that hold tensors of the model, by their location as it names them. Those that are missing are fetched from
   * beside the model, where that has an address.
   */
  readonly externalData?: readonly ExternalFile[] | undefined;
  /** Keep the swapped model in Cache Storage, under this name, or under `onnx-mish` for true. */
  readonly cache?: boolean | string | undefined;
  /** For ONNX Runtime. `freeDimensionOverrides` are heeded on WebGL, too. */
  readonly session?:
    | Omit<Ort.InferenceSession.SessionOptions, 'executionProviders' | 'externalData'>
    | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: MishProgress) => void) | undefined;
  /** Told what the session was made with, before it is returned. */
  readonly onSession?: ((made: MishSession) => void) | undefined;
}

/**
 * Fetches a model, swaps its activations for Mish in the form that the provider which will really run it can run, and opens
 * it: on the first of the providers that is there and takes it. Mish that is in the model already gets that form too. On
 * WebGL a session keeps to the dimensions of its first run, and ReLU that stays is written so that it comes out right.
 *
 * Throws `io`, `not-onnx`, `malformed`, `external-data`, `bad-usage`, `unsupported-form`, `aborted`, and
 * `provider-unavailable` with the reason of each when no provider runs it.
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

/** A session on the first of the providers that is there and takes the model. */
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
    const { model, report, suspicions, externalData } = prepared;
    const external = await models.external(externalData);
    stopIfAborted(signal, models.name);
    onProgress?.({ phase: 'open', provider });
    const opened = await ort.InferenceSession.create(model, {
      ...sessionOptions,
      executionProviders: [provider],
      ...(external.length > 0 ? { externalData: external } : {}),
    }).catch((error: unknown) => refusalOf(provider, messageOf(error)));
    if ('reason' in opened) {
      refused.push(opened);
      continue;
    }
    if (signal?.aborted) await opened.release();
    stopIfAborted(signal, models.name);
    const told = hasOlderWebgpu(ort) ? suspicions.filter((bug) => !isOfNativeKernels(bug)) : suspicions;
    onSession?.({ provider, refused, form: report.form, report, suspicions: told, cache });
    return opened;
  }
  throw noneOf(refused, models.name);
}

/**
 * Whether the kernels of WebGPU are those of `onnxruntime-web/all` (JSEP), and not those of `onnxruntime-web/webgpu`. Only the former fix `env.webgpu.adapter` when they start (backend-webgpu.ts of
 * onnxruntime-web 1.30); behind `env.wasm.proxy` they start elsewhere, and nothing can be known.
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
  const what = unknown === undefined ? 'no provider is named' : `there is no provider '${unknown}' in a page`;
  throw new OnnxMishError('bad-usage', what, { fix: `Choose from ${WEB_PROVIDERS.join(', ')}` });
}

/** What ONNX Runtime says when it does not open a model. */
function refusalOf(provider: WebProvider, message: string): Refusal {
  if (!/backend not found/.test(message)) return { provider, reason: message };
  return {
    provider,
    reason: `this build of onnxruntime-web has no ${provider}`,
    fix: "Import it from 'onnxruntime-web/all'",
  };
}

function noneOf(refused: readonly Refusal[], where: string): OnnxMishError {
  const reasons = refused.map(({ provider, reason }) => `${provider}: ${reason}`).join('; ');
  const [fix] = [...refused.flatMap(({ fix }) => fix ?? []), 'Name another provider, such as wasm'];
  return new OnnxMishError('provider-unavailable', `no provider runs it. ${reasons}`, { where, fix });
}

type Models = Awaited<ReturnType<typeof openModels>>;

/** A model in preparation: what is fetched, is fetched once and when it is needed. */
async function openModels(source: FileSource, options: MishSessionOptions) {
  const { form = 'auto', beta, leaky, only, include, exclude, opset, signal } = options;
  const onProgress = (progress: FetchProgress) => options.onProgress?.({ phase: 'fetch', ...progress });
  const fetching = { signal, onProgress };
  const dims = options.session?.freeDimensionOverrides ?? {};
  const settings: PrepareOptions = { form, dims, beta, leaky, only, include, exclude, opset };
  const name = typeof options.cache === 'string' ? options.cache : 'onnx-mish';
  const cache = options.cache ? await openCache(name) : undefined;
  const file = await openFile(source, 'model', fetching);

  let fetched: Promise<Blob> | undefined;
  const content = () => {
    fetched ??= file.content();
    return fetched;
  };
  let external: ReturnType<typeof externalFiles> | undefined;
  let scanned: ReturnType<typeof scan> | undefined;
  const make = async (provider: WebProvider): Promise<Prepared> => {
    scanned ??= scan(toSource(await content(), file.name));
    return prepare(await scanned, provider, settings);
  };

  let hash: string | undefined;
  async function hashOfContent(of: NonNullable<typeof cache>): Promise<string> {
    const known = file.validator === undefined ? undefined : await of.hashOf(file.validator);
    if (known !== undefined) return known;
    return sha256(await (await content()).arrayBuffer());
  }

  return {
    name: file.name,
    async prepare(provider: WebProvider): Promise<{ prepared: Prepared; cache: MishSession['cache'] }> {
      if (cache === undefined)
        return { prepared: await make(provider), cache: options.cache ? 'unavailable' : undefined };
      hash ??= await hashOfContent(cache);
      const key = JSON.stringify([provider, settings]);
      const kept = await cache.load(hash, key);
      if (kept !== undefined) {
        return { prepared: kept, cache: 'hit' };
      }
      const prepared = await make(provider);
      const stored = await cache.store(hash, key, prepared, file.validator);
      return { prepared, cache: stored ? 'stored' : 'unavailable' };
    },
    /** Ends what is on its way: a model that was in the cache need not come whole. */
    async end() {
      if (fetched === undefined) await file.drop();
    },
    external(locations: readonly string[]) {
      external ??= externalFiles(locations, options.externalData ?? [], file, fetching);
      return external;
    },
  };
}
