import type * as Ort from 'onnxruntime-node';
import { type ErrorDetails, messageOf, OnnxMishError } from '../../base/error.js';
import { typeName } from '../../onnx/types.js';
import {
  type Availability,
  isPath,
  type Provider,
  type ProviderName,
  type RunnableModel,
  type Session,
  type SessionOptions,
} from '../provider.js';
import type { Tensors } from '../tensor.js';
import { unavailable } from '../unavailable.js';
import { create, examine, openTensors } from './create-session.js';
import { diagnose } from './diagnose.js';
import { loaderSays, webgpuSays } from './native-libraries.js';
import { profileFolder } from './profile-file.js';
import { CONTAINER, createRunInto } from './run-into.js';
import { ort } from './runtime.js';
import { usableThreads } from './usable-threads.js';
import { fromResults, toOrt, valueInfo } from './values.js';

/**
 * Returns a provider that runs in this process. `availability` returns whether it can be used. `backend` is ONNX Runtime's name for
 * the provider.
 */
export function nodeProvider(name: ProviderName, backend: ProviderName = name): Provider {
  return {
    name,
    get version() {
      return version;
    },
    availability: () => availability(backend),
    open: (model, options) => open(backend, model, options),
  };
}

const RUNTIME = {
  name: 'onnxruntime-node',
  browser: null,
  renderer: null,
  software: null,
  simd: null,
} as const;

let version = 'unknown';

async function availability(name: ProviderName): Promise<Availability> {
  const runtime = await ort().catch(unavailable);
  if ('available' in runtime) return runtime;
  const { listSupportedBackends, env } = runtime;
  version = env.versions.node ?? env.versions.common;
  const backends = listSupportedBackends().map((backend) => backend.name);
  if (!backends.includes(name)) {
    return { available: false, ...diagnose(name, 'backend not found', process) };
  }
  const refusal = name === 'webgpu' ? await webgpuSays(IDENTITY) : undefined;
  if (refusal !== undefined) return { available: false, ...diagnose(name, refusal, process) };
  // Only opening a session shows missing libraries, drivers and devices. The first session of a process also starts
  // ONNX Runtime, whose time should not be counted as a model's.
  try {
    const session = await create(name, IDENTITY);
    await session.release();
    return { available: true };
  } catch (error) {
    const { platform, arch } = process;
    const nvidia = platform === 'linux' && (name === 'cuda' || name === 'tensorrt');
    const loader = nvidia ? loaderSays(name) : undefined;
    return { available: false, ...diagnose(name, messageOf(error), { platform, arch, loader }) };
  }
}

const spinningOf = ({ spinning }: SessionOptions = {}) => (spinning === undefined ? {} : { spinning });

/** x → Identity → y, float32 [1]: the smallest model that shows whether a provider works. */
const IDENTITY = Uint8Array.from(
  atob('CAg6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEA0='),
  (character) => character.charCodeAt(0),
);

/** Operators whose version of opset 6 or earlier is also that of opset 7: a higher opset does not help them. */
const UNCHANGED =
  /^(Softplus|Softsign|Global\w+Pool|LpNormalization)\(1\)|^(Elu|Selu|HardSigmoid|InstanceNormalization)\(6\)/;

/** Returns the remedy for an error about a missing kernel or element type. A model in memory gets the options of the command that made it. */
function adviceOn(
  message: string,
  name: ProviderName,
  isInMemory: boolean,
): Pick<ErrorDetails, 'fix' | 'option'> {
  const missing = /could not find an implementation for (\w+\([1-6]\))/i.exec(message)?.[1];
  if (missing !== undefined && !UNCHANGED.test(missing)) {
    const fix = 'ONNX Runtime has few kernels before opset 7: raise the opset';
    return { fix, option: { swap: { opset: 7 } } };
  }
  const type = /^unsupported data type: (\d+)/i.exec(message)?.[1];
  if (type !== undefined) {
    const fix = `ONNX Runtime for Node has no tensors of ${typeName(Number(type))}: cast the model’s inputs and outputs to another type`;
    return { fix };
  }
  if (!/could not find an implementation|not implemented/i.test(message)) return {};
  const fix = `${name} has no kernel for that operator and type. If it is of Mish, write it in another form`;
  return { fix, option: isInMemory ? { form: 'exp' } : { retarget: { form: 'exp' } } };
}

/** Opens a session. No inner function may refer to `model`: the session would keep the model's bytes in memory. */
async function open(
  name: ProviderName,
  model: RunnableModel,
  options: SessionOptions | undefined,
): Promise<Session> {
  const module = await ort();
  const isInMemory = !isPath(model);
  const label = isPath(model) ? model : 'the model';
  const failed = (what: string, cause: unknown) =>
    new OnnxMishError('run-failed', `ONNX Runtime ${what} on ${name}: ${messageOf(cause)}`, {
      where: label,
      ...adviceOn(messageOf(cause), name, isInMemory),
      cause,
    });
  const unfused = await examine(model, options);
  const profile = options?.profile === true ? await profileFolder() : undefined;
  const opening = openTensors(name, model, options, { profilePrefix: profile?.prefix, unfused });
  const { session, createMs, notes } = await opening.catch(async (cause: unknown) => {
    await profile?.remove();
    // A device error, such as a missing device, is not the model's fault.
    if (!/CUDA failure|CUDNN failure|DXGI/.test(messageOf(cause))) throw failed('cannot open it', cause);
    const { platform, arch } = process;
    const facts = { platform, arch, deviceId: options?.deviceId };
    const { reason, ...advice } = diagnose(name, messageOf(cause), facts);
    throw new OnnxMishError('run-failed', reason, { where: label, ...advice, cause });
  });
  const convert = (feeds: Tensors) =>
    Object.fromEntries(Object.entries(feeds).map(([key, tensor]) => [key, toOrt(module, tensor)]));
  const call = (feeds: Record<string, Ort.Tensor>, into?: Ort.InferenceSession.FetchesType) =>
    session.run(feeds, into ?? fetches).catch((cause: unknown) => {
      throw failed('failed to run it', cause);
    });
  const outputs = session.outputMetadata.filter(({ isTensor }) => isTensor);
  const fetches = outputs.map((output) => output.name);
  return {
    inputs: session.inputMetadata.map(valueInfo),
    outputs: outputs.map(valueInfo),
    createMs,
    notes,
    runtime: {
      ...RUNTIME,
      version,
      ...spinningOf(options),
      threads: options?.threads === undefined ? null : usableThreads(options.threads),
    },
    run: async (feeds) => fromResults(await call(convert(feeds))),
    runInto: createRunInto(
      async (feeds, into, others) => {
        const empty = Object.fromEntries(others.map((other) => [other, null]));
        return fromResults(await call(convert(feeds), { ...empty, ...convert(into) }));
      },
      fetches,
      session.outputNames[0] === CONTAINER,
    ),
    async time(feeds) {
      const ready = convert(feeds);
      const begin = performance.now();
      await call(ready);
      return performance.now() - begin;
    },
    ...(profile === undefined
      ? {}
      : {
          async profile() {
            session.endProfiling();
            return profile.kernels();
          },
        }),
    async close() {
      await session.release(); // `release` writes a profile that was not read
      await profile?.remove();
    },
  };
}
