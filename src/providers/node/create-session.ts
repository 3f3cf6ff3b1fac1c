import type * as Ort from 'onnxruntime-node';
import { withCopyBeside } from '../../files/edited-copy.js';
import { withTensorOutputs } from '../../onnx/tensor-outputs.js';
import { editableModel } from '../loaded-model.js';
import { isPath, type ProviderName, type RunnableModel, type SessionOptions } from '../provider.js';
import { withDocumentOf } from '../read-model.js';
import { ort } from './runtime.js';
import { usableThreads } from './usable-threads.js';

/** Creates a session of ONNX Runtime. */
export function create(
  name: ProviderName,
  model: RunnableModel,
  options: SessionOptions = {},
  profilePrefix?: string,
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
    },
  };
  // Each overload accepts either a path or bytes, not the union.
  return ort().then(({ InferenceSession }) =>
    isPath(model) ? InferenceSession.create(model, settings) : InferenceSession.create(model, settings),
  );
}

/** Opens a session and refuses outputs that are not tensors, which ONNX Runtime's Node API cannot return. */
export async function openTensors(
  name: ProviderName,
  model: RunnableModel,
  options: SessionOptions | undefined,
  profilePrefix: string | undefined,
): Promise<{ session: Ort.InferenceSession; notes: readonly string[] }> {
  const session = await create(name, model, options, profilePrefix);
  const others = session.outputMetadata.flatMap((output) => (output.isTensor ? [] : output.name));
  if (others.length === 0) return { session, notes: [] };
  return withDocumentOf(model, async (document) => {
    const edited = withTensorOutputs(document, others);
    if (edited === undefined) return { session, notes: [] };
    await session.release();
    const copies = isPath(model) ? withCopyBeside(model) : undefined;
    return editableModel(document, undefined, copies).withEdited(edited.model, async (tensors) => {
      return { session: await create(name, tensors, options, profilePrefix), notes: edited.notes };
    });
  });
}
