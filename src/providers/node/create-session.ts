import { dirname } from 'node:path';
import type * as Ort from 'onnxruntime-node';
import { withCopyBeside } from '../../files/edited-copy.js';
import { dataFiles } from '../../files/external-data.js';
import { withDocument } from '../../files/with-document.js';
import { scan } from '../../onnx/scan.js';
import { withTensorOutputs } from '../../onnx/tensor-outputs.js';
import { DISABLED_OPTIMISERS, type Unfused, unfusedIn } from '../fusions.js';
import { editableModel } from '../loaded-model.js';
import { isPath, type ProviderName, type RunnableModel, type SessionOptions } from '../provider.js';
import { withDocumentOf } from '../read-model.js';
import { CONTAINER, withContainer } from './run-into.js';
import { ort } from './runtime.js';
import { usableThreads } from './usable-threads.js';

/** Settings of a session that the caller of a provider does not choose. */
interface OwnSettings {
  readonly profilePrefix?: string | undefined;
  readonly unfused?: Unfused | undefined;
}

/** Creates a session of ONNX Runtime. */
export function create(
  name: ProviderName,
  model: RunnableModel,
  options: SessionOptions = {},
  { profilePrefix, unfused }: OwnSettings = {},
): Promise<Ort.InferenceSession> {
  const { threads, spinning, arena = true, memoryPattern = true } = options;
  const { optimisation = 'all', allowFallback = false, deviceId } = options;
  const hasDevices = name === 'cuda' || name === 'tensorrt' || name === 'dml';
  const settings: Ort.InferenceSession.SessionOptions = {
    executionProviders: [deviceId !== undefined && hasDevices ? { name, deviceId } : name],
    graphOptimizationLevel: optimisation,
    logSeverityLevel: 4,
    enableCpuMemArena: arena,
    enableMemPattern: memoryPattern,
    ...(threads === undefined ? {} : { intraOpNumThreads: usableThreads(threads) }),
    ...(profilePrefix === undefined ? {} : { enableProfiling: true, profileFilePrefix: profilePrefix }),
    extra: {
      session: {
        // A provider's figures must not include nodes that run on the CPU.
        ...(name === 'cpu' || allowFallback ? {} : { disable_cpu_ep_fallback: '1' }),
        ...(spinning === undefined ? {} : { intra_op: { allow_spinning: spinning ? '1' : '0' } }),
      },
      ...(unfused && { [DISABLED_OPTIMISERS]: unfused.optimisers }),
    },
  };
  // Each overload accepts either a path or bytes, not the union.
  return ort().then(({ InferenceSession }) =>
    isPath(model) ? InferenceSession.create(model, settings) : InferenceSession.create(model, settings),
  );
}

/**
 * Returns the fusions that a model must not have. Throws if a data file is not a regular file: ONNX Runtime opens every file
 * that a model names, and on a pipe it would wait for ever.
 */
export async function examine(
  model: RunnableModel,
  options: SessionOptions | undefined,
): Promise<Unfused | undefined> {
  // ONNX Runtime says what is wrong with bytes that are no model.
  if (!isPath(model)) return scan(model).then(unfusedIn, () => undefined);
  return withDocument(model, async (read) => {
    await dataFiles(read, dirname(model), options);
    return unfusedIn(read);
  });
}

interface Opened {
  readonly session: Ort.InferenceSession;
  /** Time to create this session. */
  readonly createMs: number;
  readonly notes: readonly string[];
}

/**
 * Opens a session with outputs that are tensors. ONNX Runtime's Node API cannot return others, so a model with such outputs is
 * opened a second time, with tensors in their place.
 */
export async function openTensors(
  name: ProviderName,
  model: RunnableModel,
  options: SessionOptions | undefined,
  own: OwnSettings,
): Promise<Opened> {
  const before = own.unfused ? [own.unfused.note] : [];
  const open = async (runnable: RunnableModel, notes: readonly string[]) => {
    const start = performance.now();
    const session = await create(name, runnable, options, own);
    return { session, createMs: performance.now() - start, notes: [...before, ...notes] };
  };
  const opened =
    (options?.forRunInto === true && name === 'cpu' && !isPath(model)
      ? // This fails before opset 11, which has no operator for an empty sequence.
        await open(withContainer(model), []).catch(() => undefined)
      : undefined) ?? (await open(model, []));
  const others = opened.session.outputMetadata.flatMap((output) =>
    output.isTensor || output.name === CONTAINER ? [] : output.name,
  );
  if (others.length === 0) return opened;
  await opened.session.release(); // before the model is read, which may fail
  return withDocumentOf(model, async (document) => {
    const edited = withTensorOutputs(document, others);
    if (edited === undefined) return open(model, []);
    const copies = isPath(model) ? withCopyBeside(model) : undefined;
    return editableModel(document, undefined, copies).withEdited(edited.model, (tensors) =>
      open(tensors, edited.notes),
    );
  });
}
