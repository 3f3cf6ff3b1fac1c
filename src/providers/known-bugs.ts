import type { OnnxDocument } from '../onnx/document.js';
import type { WebProvider } from './web-providers.js';
import { webgpuMistakes } from './webgpu/known-bugs.js';

/** Functions that list known bugs, for providers that run models unchanged. `prepareFor` lists WebGL's bugs. */
const KNOWN_BUGS: Readonly<Partial<Record<WebProvider, (document: OnnxDocument) => readonly string[]>>> = {
  webgpu: webgpuMistakes,
};

/** Lists the places in a model where a known bug of the provider gives wrong outputs without an error. */
export function knownBugs(provider: WebProvider, document: OnnxDocument): readonly string[] {
  return KNOWN_BUGS[provider]?.(document) ?? [];
}
