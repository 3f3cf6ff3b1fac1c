import { type BrowserSettings, browserProvider } from '../providers/browser/provider.js';
import { nodeProvider } from '../providers/node/provider.js';
import type { Provider, ProviderName } from '../providers/provider.js';
import { WEB_PROVIDERS } from '../providers/web-providers.js';

/**
 * Returns the provider of a name. Web providers run in a browser, which `settings` describes; `webgpu-native` is
 * onnxruntime-node's WebGPU.
 *
 * @example
 * import { getProvider } from 'onnx-mish/node';
 *
 * const session = await getProvider('cpu').open('model.onnx');
 * console.log(session.inputs);
 * await session.close();
 */
export function getProvider(name: ProviderName, settings?: BrowserSettings): Provider {
  const web = WEB_PROVIDERS.find((known) => known === name);
  if (web !== undefined) return browserProvider(web, settings);
  return nodeProvider(name, name === 'webgpu-native' ? 'webgpu' : name);
}
