import { type BrowserSettings, browserProvider } from '../providers/browser/provider.js';
import { isInstalled, PAGE_PEERS, requirePeers } from '../providers/node/packages.js';
import { nodeProvider } from '../providers/node/provider.js';
import type { Provider, ProviderName } from '../providers/provider.js';
import { WEB, WEB_PROVIDERS } from '../providers/web-providers.js';

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

/**
 * Throws `missing-package` if onnxruntime-node is not installed, with all missing packages of these providers: each provider is
 * compared with the CPU. If only packages of other providers are missing, the comparison runs without these providers.
 */
export function requireRuntimes(names: readonly ProviderName[]): void {
  if (isInstalled('onnxruntime-node')) return;
  requirePeers('onnxruntime-node', ...(names.some((name) => name in WEB) ? PAGE_PEERS : []));
}
