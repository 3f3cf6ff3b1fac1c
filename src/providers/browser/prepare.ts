import type { OnnxDocument } from '../../onnx/document.js';
import { withTensorOutputs } from '../../onnx/tensor-outputs.js';
import { faultsOf, shortened } from '../known-bugs.js';
import type { Provider, Shapes } from '../provider.js';
import type { WebProvider } from '../web-providers.js';
import { checkForWebgl, cureForWebgl, prepareForWebgl } from '../webgl/prepare.js';

/** Model prepared for a page. */
export interface PreparedModel {
  /** Bytes to open instead of the model; undefined if the model is opened unchanged. */
  readonly model?: Uint8Array | undefined;
  /** Form to which the model's Mish was rewritten; undefined if not rewritten. */
  readonly retargeted?: string | undefined;
  readonly notes?: readonly string[] | undefined;
  /** Optimisers of ONNX Runtime to leave out. */
  readonly unfused?: string | undefined;
  /** Places where a known bug of the provider gives wrong outputs without an error. */
  readonly suspicions?: readonly string[] | undefined;
}

/** Preparation of models for a provider that cannot run every model unchanged. */
interface Preparation {
  prepare(document: OnnxDocument, shapes: Shapes | undefined): Promise<PreparedModel>;
  readonly checks: Pick<Provider, 'check' | 'cure'>;
}

const PREPARATIONS: Readonly<Partial<Record<WebProvider, Preparation>>> = {
  webgl: { prepare: prepareForWebgl, checks: { check: checkForWebgl, cure: cureForWebgl } },
};

/** Returns a provider's `check` and `cure`, if the provider has them. */
export function checksFor(provider: WebProvider): Pick<Provider, 'check' | 'cure'> {
  return PREPARATIONS[provider]?.checks ?? {};
}

/** Rewrites a model for a provider, if necessary, and lists the provider's known bugs. Throws as `scan` does. */
export async function prepareFor(
  provider: WebProvider,
  document: OnnxDocument,
  shapes: Shapes | undefined,
): Promise<PreparedModel> {
  const special = PREPARATIONS[provider];
  if (special !== undefined) return special.prepare(document, shapes);
  const changed = withTensorOutputs(document);
  const { unfused, suspicions } = faultsOf(provider, document);
  const notes = [...(unfused ? [unfused.note] : []), ...(changed?.notes ?? [])];
  return {
    model: await changed?.model.bytes(),
    notes,
    unfused: unfused?.optimisers,
    suspicions: shortened(suspicions),
  };
}
