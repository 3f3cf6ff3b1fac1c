import { ownProperty } from '../base/own.js';
import { exposeTensors } from '../onnx/expose.js';
import type { EditableModel } from './loaded-model.js';
import type { RunnableModel } from './provider.js';
import type { Tensor, Tensors } from './tensor.js';

/** Model with inner tensors among its outputs. */
export interface ExposedModel {
  readonly file: RunnableModel;
  /** Returns an inner tensor from the outputs of a run. */
  get(outputs: Tensors, name: string): Tensor | undefined;
}

/**
 * Calls `use` with a copy of a model that also outputs these tensors of its main graph. For `copies` see
 * `exposeTensors`. Throws `bad-data` for a name that no node outputs, and `io`.
 */
export function withExposed<T>(
  model: EditableModel,
  names: readonly string[],
  copies: boolean | undefined,
  use: (exposed: ExposedModel) => Promise<T>,
): Promise<T> {
  const { model: edited, outputs } = exposeTensors(model.document, names, { copies });
  const get = (tensors: Tensors, name: string) => ownProperty(tensors, outputs.get(name) ?? name);
  return model.withEdited(edited, (file) => use({ file, get }));
}
