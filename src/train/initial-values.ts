import { OnnxMishError } from '../base/error.js';
import { integer } from '../base/plural.js';
import { readWeight } from '../onnx/weights.js';
import type { EditableModel } from '../providers/loaded-model.js';
import { elementCount } from '../providers/tensor.js';
import type { InitialValues, TrainedCopy } from './trainer-options.js';
import type { TrainingStep } from './training-step.js';

/**
 * Returns the values of weights and running statistics from which training starts: given ones, or those of the model. Throws
 * `bad-usage` for another number of values.
 */
export async function initialValues(
  { state }: TrainingStep,
  { document, openData }: EditableModel,
  { index, dims }: Pick<TrainedCopy, 'index' | 'dims'>,
  given: InitialValues | undefined,
): Promise<ReadonlyMap<string, Float32Array>> {
  const weights = state.flatMap(({ weight }) => weight ?? []);
  const chosen = given?.({ document, index, dims }, weights);
  const initial = new Map<string, Float32Array>();
  for (const { input, weight } of state) {
    if (weight === undefined) continue;
    const values = chosen?.get(input) ?? (await readWeight(document, weight, openData));
    checkLength(input, values.length, elementCount(weight.tensor.dims));
    initial.set(input, Float32Array.from(values));
  }
  return initial;
}

function checkLength(name: string, given: number, wanted: number): void {
  if (given === wanted) return;
  const what = `the weight '${name}' has ${integer(wanted)} elements, and its initial values are ${integer(given)}`;
  throw new OnnxMishError('bad-usage', what, { fix: 'Return a number for each element' });
}
