import { withDocument } from '../../node/document.js';
import { withTensorOutputs } from '../../onnx/tensor-outputs.js';
import type { Shapes } from '../provider.js';
import { prepareForWebgl } from '../webgl/prepare.js';
import { webgpuMistakes } from '../webgpu/known-bugs.js';
import type { WebProvider } from './protocol.js';

/** A model on its way to a page. */
export interface Prepared {
  readonly model: string | Uint8Array;
  /** The file that the model's external data is beside, where it is not `model` itself. */
  readonly beside?: string | undefined;
  /** The form its Mish was rewritten to; undefined where that was not needed. */
  readonly retargeted?: string | undefined;
  readonly notes?: readonly string[] | undefined;
  /** Where the provider is known to compute something else without a word. */
  readonly suspicions?: readonly string[] | undefined;
}

/** A model as a provider takes it, and what is known of the two. Throws as `scan` does. */
export async function prepareFor(
  provider: WebProvider,
  model: string | Uint8Array,
  shapes: Shapes | undefined,
): Promise<Prepared> {
  if (provider === 'webgl') return prepareForWebgl(model, shapes);
  return withDocument(model, async (document) => {
    const changed = withTensorOutputs(document);
    const suspicions = provider === 'webgpu' ? webgpuMistakes(document) : [];
    if (changed === undefined) return { model, suspicions };
    const beside = typeof model === 'string' ? model : undefined;
    return { model: await changed.model.bytes(), beside, notes: changed.notes, suspicions };
  });
}
