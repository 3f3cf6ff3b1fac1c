import { own } from '../base/own.js';
import { exposeTensors } from '../onnx/expose.js';
import type { EditableModel } from './loaded-model.js';
import type { RunnableModel } from './provider.js';
import type { Tensor, Tensors } from './tensor.js';

/** A model that gives tensors of its inside as well. */
export interface ExposedModel {
  readonly file: RunnableModel;
  /** A tensor among the outputs of a run. */
  get(outputs: Tensors, name: string): Tensor | undefined;
}

/**
 * Has a copy of a model for a while that gives these tensors of its main graph among its outputs; `copies` as
 * `exposeTensors` has it. Throws `bad-data` for a name that no node gives, and `io`.
 */
export function withExposed<T>(
  model: EditableModel,
  names: readonly string[],
  copies: boolean | undefined,
  use: (exposed: ExposedModel) => Promise<T>,
): Promise<T> {
  const { model: edited, outputs } = exposeTensors(model.document, names, { copies });
  const get = (tensors: Tensors, name: string) => own(tensors, outputs.get(name) ?? name);
  return model.withEdited(edited, (file) => use({ file, get }));
}
