import type { OnnxDocument } from '../onnx/document.js';
import type { WebProvider } from './web-providers.js';
import { webgpuMistakes } from './webgpu/known-bugs.js';

/** The bugs of each provider that takes every model as it is. Those of WebGL are found while a model is written for it. */
const KNOWN_BUGS: Readonly<Partial<Record<WebProvider, (document: OnnxDocument) => readonly string[]>>> = {
  webgpu: webgpuMistakes,
};

/** Lists where a provider is known to compute something else in a model, without an error. */
export function knownBugs(provider: WebProvider, document: OnnxDocument): readonly string[] {
  return KNOWN_BUGS[provider]?.(document) ?? [];
}
