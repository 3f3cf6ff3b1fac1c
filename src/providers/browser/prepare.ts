import type { OnnxDocument } from '../../onnx/document.js';
import { withTensorOutputs } from '../../onnx/tensor-outputs.js';
import type { Shapes } from '../provider.js';
import { prepareForWebgl } from '../webgl/prepare.js';
import { webgpuMistakes } from '../webgpu/known-bugs.js';
import type { WebProvider } from './protocol.js';

/** A model on its way to a page. */
export interface Prepared {
  /** The bytes to open in its place; undefined where it is taken as it is. */
  readonly model?: Uint8Array | undefined;
  /** The form its Mish was rewritten to; undefined where that was not needed. */
  readonly retargeted?: string | undefined;
  readonly notes?: readonly string[] | undefined;
  /** Where the provider is known to compute something else without a word. */
  readonly suspicions?: readonly string[] | undefined;
}

/** A model as a provider takes it, and what is known of the two. Throws as `scan` does. */
export async function prepareFor(
  provider: WebProvider,
  document: OnnxDocument,
  shapes: Shapes | undefined,
): Promise<Prepared> {
  if (provider === 'webgl') return prepareForWebgl(document, shapes);
  const changed = withTensorOutputs(document);
  const suspicions = provider === 'webgpu' ? webgpuMistakes(document) : [];
  return { model: await changed?.model.bytes(), notes: changed?.notes, suspicions };
}
