import { createRandom, normal } from '../../src/base/random.js';
import { indexGraphs } from '../../src/onnx/graph-index.js';
import { readWeight } from '../../src/onnx/weights.js';
import { type EditableModel, modelFromBytes } from '../../src/providers/loaded-model.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import type { Provider, Session } from '../../src/providers/provider.js';
import { elementCount, type Tensors } from '../../src/providers/tensor.js';
import { probeModel, probeWithSession } from '../../src/train/probe.js';
import { createStepper, type Stepper } from '../../src/train/stepper.js';
import { trainableWeights } from '../../src/train/trainable.js';
import type { TrainedCopy } from '../../src/train/trainer-options.js';
import { type StepOptions, type TrainingStep, trainingStep } from '../../src/train/training-step.js';

export interface OpenTraining {
  readonly step: TrainingStep;
  readonly stepper: Stepper;
  readonly session: Session;
}

/** Numbers that Python's `wave` gives as well. */
export function wave(count: number, pace: number, scale = 1): Float32Array {
  return Float32Array.from({ length: count }, (_, index) => Math.sin((index + 1) * pace) * scale);
}

/** Normal numbers in a tensor of these dimensions. */
export function normals(...dims: number[]): { elemType: 'f32'; dims: number[]; data: Float32Array } {
  const length = elementCount(dims);
  const random = createRandom(length);
  return { elemType: 'f32', dims, data: Float32Array.from({ length }, () => normal(random)) };
}

/** The copy of a model that is trained, for these inputs. */
export async function trainedCopy(bytes: Uint8Array, feeds: Tensors): Promise<TrainedCopy> {
  const loaded = await modelFromBytes(bytes);
  const { dims } = await probeWithSession(loaded, feeds, { provider: nodeProvider('cpu') });
  return { document: loaded.document, index: indexGraphs(loaded.document), dims };
}

/** Opens a model as a training step of all its weights, for batches of these shapes. */
export async function openTraining(
  given: Uint8Array | EditableModel,
  feeds: Tensors,
  provider: Provider,
  options: Omit<StepOptions, 'weights'> & Partial<Pick<StepOptions, 'weights'>>,
): Promise<OpenTraining> {
  const model = given instanceof Uint8Array ? await modelFromBytes(given) : given;
  const { document, openData } = model;
  const index = indexGraphs(document);
  const probe = await probeModel(document, feeds, (exposed) =>
    model.withEdited(exposed, async (copy) => {
      const session = await provider.open(copy);
      const tensors = await session.run(feeds);
      await session.close();
      return tensors;
    }),
  );
  const step = trainingStep(document, index, probe, {
    weights: trainableWeights(document, index),
    ...options,
  });
  const initial = new Map<string, ArrayLike<number>>();
  for (const { input, weight } of step.state) {
    if (weight !== undefined) initial.set(input, await readWeight(document, weight, openData));
  }
  const session = await provider.open(await step.model.bytes());
  return { step, session, stepper: createStepper(session, step, { optimizer: options.optimizer, initial }) };
}
