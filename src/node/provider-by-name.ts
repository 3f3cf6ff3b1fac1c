import { type BrowserSettings, browserProvider } from '../providers/browser/provider.js';
import { nodeProvider } from '../providers/node/provider.js';
import type { Provider, ProviderName } from '../providers/provider.js';
import { WEB_PROVIDERS } from '../providers/web-providers.js';

/**
 * The provider of this name. Those of the web run in a browser, which the settings are for; `webgpu-native` is
 * the WebGPU of onnxruntime-node.
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
  return name === 'webgpu-native' ? { ...nodeProvider('webgpu'), name } : nodeProvider(name);
}
