import type { LoadedModel } from '../providers/loaded-model.js';
import type { Provider, SessionOptions } from '../providers/provider.js';
import type { Tensors } from '../providers/tensor.js';
import type { PassLimits } from './tensor-passes.js';

/** A model and the provider that runs the model. */
export interface ModelRun {
  readonly which: 'original' | 'swapped';
  readonly model: LoadedModel;
  readonly provider: Provider;
}

export interface ModelLayerOptions extends PassLimits {
  /** The reference. Its provider must run every model, as the CPU does. */
  readonly a: ModelRun;
  readonly b: ModelRun;
  readonly feeds: readonly Tensors[];
  /** Whether to read copies of the tensors, see `exposeTensors`; set when comparing providers. */
  readonly copies?: boolean | undefined;
  /** Whether to compare only the outputs of sites; default: the outputs of all nodes. */
  readonly sitesOnly?: boolean | undefined;
  readonly session?: SessionOptions | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, of: number) => void) | undefined;
}

/** A tensor that both models have. */
export interface SharedTensor {
  /** Label of the node that computes it in the first model. */
  readonly node: string;
  readonly op: string;
  /** Name of the tensor. */
  readonly output: string;
  /** Whether it is the output of a site of either model. */
  readonly site: boolean;
}
