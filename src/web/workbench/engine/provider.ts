import type { Provider } from '../../../providers/provider.js';
import { type External, ortProvider } from '../../harness/ort-provider.js';
import { loadRuntime } from '../../harness/runtime.js';
import type { PageProvider } from '../protocol.js';

/** The provider that the others are compared with, and that every browser has. */
export const REFERENCE: PageProvider = 'wasm';

/**
 * Returns a provider that runs ONNX Runtime Web in this worker.
 *
 * @param base URL of the folder with ONNX Runtime's files.
 * @param external External data files of the models.
 */
export function pageProvider(name: PageProvider, base: string, external: readonly External[]): Provider {
  return ortProvider(name, () => loadRuntime(name, base), external);
}
