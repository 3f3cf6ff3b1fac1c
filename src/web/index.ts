// Creates sessions with Mish in a page, and runs the library there: `onnx-mish/web`.

export type { WebProvider } from '../providers/web-providers.js';
export {
  createMishSession,
  type MishProgress,
  type MishSession,
  type MishSessionOptions,
  type OrtWeb,
} from './session/create.js';
export type { ExternalFile } from './session/external.js';
export type { FetchProgress, FileSource } from './session/fetch.js';
export type { Refusal, Swapping } from './session/prepare.js';
export { webProvider } from './session/web-provider.js';
