import { integer } from '../base/plural.js';
import type { OnnxDocument } from '../onnx/document.js';
import { type Unfused, unfusedIn } from './fusions.js';
import type { WebProvider } from './web-providers.js';
import { webgpuMistakes } from './webgpu/known-bugs.js';

/** Functions that list known bugs, for providers that run models unchanged. `prepareFor` lists WebGL's bugs. */
const KNOWN_BUGS: Readonly<Partial<Record<WebProvider, (document: OnnxDocument) => readonly string[]>>> = {
  webgpu: webgpuMistakes,
};

/** Errors that a provider would make in a model without reporting them. */
interface Faults {
  /** Fusions that a session has to leave out. */
  readonly unfused: Unfused | undefined;
  /** Places where the outputs may be wrong, as sentences. */
  readonly suspicions: readonly string[];
}

/** Returns the faults of a provider that a model meets. */
export function faultsOf(provider: WebProvider, document: OnnxDocument): Faults {
  return { unfused: unfusedIn(document), suspicions: KNOWN_BUGS[provider]?.(document) ?? [] };
}

/** Maximum number of listed bugs. */
const MAX_LISTED_BUGS = 5;

/** Returns the first bugs, and how many more there are. */
export function shortened(bugs: readonly string[]): readonly string[] {
  const more = bugs.length - MAX_LISTED_BUGS;
  return more > 0 ? [...bugs.slice(0, MAX_LISTED_BUGS), `and ${integer(more)} more of the kind`] : bugs;
}
