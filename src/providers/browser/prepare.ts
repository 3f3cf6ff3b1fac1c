import type { OnnxDocument } from '../../onnx/document.js';
import { withTensorOutputs } from '../../onnx/tensor-outputs.js';
import { knownBugs } from '../known-bugs.js';
import type { Provider, Shapes } from '../provider.js';
import type { WebProvider } from '../web-providers.js';
import { checkForWebgl, cureForWebgl, prepareForWebgl } from '../webgl/prepare.js';

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

/** The preparation of models for a provider that does not take every model as it is. */
interface Preparation extends Pick<Provider, 'check' | 'cure'> {
  prepare(document: OnnxDocument, shapes: Shapes | undefined): Promise<Prepared>;
}

const PREPARATIONS: Readonly<Partial<Record<WebProvider, Preparation>>> = {
  webgl: { prepare: prepareForWebgl, check: checkForWebgl, cure: cureForWebgl },
};

/** Returns a provider's `check` and `cure`, where it has them. */
export function checksFor(provider: WebProvider): Pick<Provider, 'check' | 'cure'> {
  const { check, cure } = PREPARATIONS[provider] ?? {};
  return { ...(check === undefined ? {} : { check }), ...(cure === undefined ? {} : { cure }) };
}

/** Writes a model as a provider takes it, and lists what is known of the two. Throws as `scan` does. */
export async function prepareFor(
  provider: WebProvider,
  document: OnnxDocument,
  shapes: Shapes | undefined,
): Promise<Prepared> {
  const special = PREPARATIONS[provider];
  if (special !== undefined) return special.prepare(document, shapes);
  const changed = withTensorOutputs(document);
  const suspicions = knownBugs(provider, document);
  return { model: await changed?.model.bytes(), notes: changed?.notes, suspicions };
}
