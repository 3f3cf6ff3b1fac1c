import type * as Ort from 'onnxruntime-web';
import { messageOf, OnnxMishError } from '../../base/error.js';
import { openFrom } from '../../onnx/data-in-memory.js';
import { readOutsideNumbers } from '../../onnx/outside-numbers.js';
import { scan } from '../../onnx/scan.js';
import { checksFor, type PreparedModel, prepareFor } from '../../providers/browser/prepare.js';
import { withDataInside } from '../../providers/data-inside.js';
import {
  type Availability,
  isPath,
  type Provider,
  type Runtime,
  type Session,
  type SessionOptions,
} from '../../providers/provider.js';
import type { Tensors } from '../../providers/tensor.js';
import { MISSING, WEB, type WebProvider } from '../../providers/web-providers.js';
import { browserName } from './browser-name.js';
import type { OrtFeeds, WebRuntime } from './runtime.js';

/** An external data file in the type of ONNX Runtime. */
export interface External {
  readonly path: string;
  readonly data: Uint8Array;
}

/** The runtime of each `Session`, and the session of ONNX Runtime behind it. */
const inner = new WeakMap<
  Session,
  { readonly runtime: WebRuntime; readonly session: Ort.InferenceSession }
>();

/**
 * Returns a provider that runs ONNX Runtime Web in this page or worker.
 *
 * @param start Loads ONNX Runtime. It is called once, at the first use.
 * @param external External data files of the models.
 */
export function ortProvider(
  name: WebProvider,
  start: () => Promise<WebRuntime>,
  external: readonly External[] = [],
): Provider {
  let loading: Promise<WebRuntime> | undefined;
  let version = 'unknown';
  const { check } = checksFor(name);

  async function load(): Promise<WebRuntime> {
    loading ??= start();
    const runtime = await loading.catch((cause: unknown) => {
      throw new OnnxMishError('provider-unavailable', `ONNX Runtime cannot be loaded: ${messageOf(cause)}`, {
        fix: 'Reload the page',
        cause,
      });
    });
    version = runtime.facts.version;
    return runtime;
  }

  return {
    name,
    get version() {
      return version;
    },
    async availability(): Promise<Availability> {
      const { missing } = (await load()).facts;
      if (missing === undefined) return { available: true };
      const fix = 'Update the browser and the graphics driver, or try another browser';
      return { available: false, reason: MISSING[missing].reason, fix };
    },
    ...(check === undefined ? {} : { check }),
    async open(model, options) {
      if (isPath(model)) throw new OnnxMishError('io', 'a page has no files', { where: model });
      const runtime = await load();
      const document = await scan(model);
      const openData = openFrom(external, document.source.name);
      await readOutsideNumbers(document, openData);
      const whole = await withDataInside(document, name, openData);
      const prepared = await prepareFor(name, whole, options?.shapes);
      return openSession(
        runtime,
        name,
        { ...prepared, model: prepared.model ?? model },
        WEB[name].takesExternalData ? external : [],
        options,
      );
    },
  };
}

async function openSession(
  runtime: WebRuntime,
  name: WebProvider,
  { model, retargeted, notes, unfused, suspicions }: PreparedModel & { readonly model: Uint8Array },
  external: readonly External[],
  { optimisation = 'all' }: SessionOptions = {},
): Promise<Session> {
  const failed = (what: string, cause: unknown) =>
    new OnnxMishError('run-failed', `ONNX Runtime ${what} on ${name}: ${messageOf(cause)}`, { cause });
  const opened = await runtime.open({ model, external, optimisation, unfused }).catch((cause: unknown) => {
    throw failed('cannot open the model', cause);
  });
  const { session: own, createMs, inputs, outputs, placement } = opened;
  const kept = new WeakMap<Tensors, OrtFeeds>();
  const keep = (feeds: Tensors): OrtFeeds => {
    const ready = kept.get(feeds) ?? runtime.toFeeds(feeds);
    kept.set(feeds, ready);
    return ready;
  };
  const running = <T>(work: Promise<T>): Promise<T> =>
    work.catch((cause: unknown) => {
      throw failed('failed to run the model', cause);
    });
  const session: Session = {
    inputs,
    outputs,
    createMs,
    runtime: runtimeOf(runtime),
    retargeted,
    notes,
    suspicions,
    placement,
    run: async (feeds) => running(runtime.run(own, runtime.toFeeds(feeds))),
    time: async (feeds) => running(runtime.time(own, keep(feeds))),
    async pairs(other, feeds, pairs, firstOfAll) {
      const theirs = inner.get(other);
      if (theirs?.runtime !== runtime)
        throw new OnnxMishError('run-failed', 'the two sessions belong to different providers');
      const ready = [keep(feeds[0]), keep(feeds[1])] as const;
      return running(runtime.pairs({ sessions: [own, theirs.session], feeds: ready, pairs, firstOfAll }));
    },
    close: () => own.release(),
  };
  inner.set(session, { runtime, session: own });
  return session;
}

function runtimeOf({ facts: { version, renderer, software, threads, simd } }: WebRuntime): Runtime {
  return { name: 'onnxruntime-web', version, browser: browserName(), renderer, software, threads, simd };
}
