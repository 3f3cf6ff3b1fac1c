import { own } from '../base/own.js';
import { withChanged } from '../node/edited-copy.js';
import type { OnnxDocument } from '../onnx/document.js';
import { exposeTensors } from '../onnx/expose.js';
import { withTensorOutputs } from '../onnx/tensor-outputs.js';
import type { Tensor, Tensors } from './tensor.js';

/** A model and its structure. */
export interface ReadModel {
  /** A path, where external data is found beside it, or the bytes. */
  readonly model: string | Uint8Array;
  readonly document: OnnxDocument;
}

/** A model that gives tensors of its inside as well. */
export interface ExposedModel {
  readonly model: string | Uint8Array;
  /** A tensor among the outputs of a run. */
  get(outputs: Tensors, name: string): Tensor | undefined;
}

/**
 * Has a copy of a model for a while that gives these tensors of its main graph among its outputs; `copies` as
 * `exposeTensors` has it. Throws `bad-data` for a name that no node gives, and `io`.
 */
export function withExposed<T>(
  { model, document }: ReadModel,
  names: readonly string[],
  copies: boolean | undefined,
  use: (exposed: ExposedModel) => Promise<T>,
): Promise<T> {
  const { model: changed, outputs } = exposeTensors(document, names, { copies });
  const get = (tensors: Tensors, name: string) => own(tensors, outputs.get(name) ?? name);
  return withChanged(model, changed, document.external.length > 0, (given) => use({ model: given, get }));
}

/**
 * Has a copy of a model for a while whose outputs are tensors, with the notes on what each stands for; undefined where there
 * is nothing to change. `containers` names the outputs that are not tensors. Throws `io`.
 */
export function withTensorsOut<T>(
  { model, document }: ReadModel,
  containers: readonly string[],
  use: (model: string | Uint8Array, notes: readonly string[]) => Promise<T>,
): Promise<T> | undefined {
  const changed = withTensorOutputs(document, containers);
  if (changed === undefined) return undefined;
  const external = document.external.length > 0;
  return withChanged(model, changed.model, external, (tensors) => use(tensors, changed.notes));
}
