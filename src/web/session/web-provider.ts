import type * as Ort from 'onnxruntime-web';
import type { Provider } from '../../providers/provider.js';
import type { WebProvider } from '../../providers/web-providers.js';
import { ortProvider } from '../harness/ort-provider.js';
import { createRuntime } from '../harness/runtime.js';

/**
 * Returns a provider that runs models with a page's ONNX Runtime Web, for `createTrainer` in a page or a worker. On WebGPU,
 * give `createTrainer` the provider of WASM as `reference`, because some of its kernels compute wrong numbers without an error.
 *
 * @example
 * import { createTrainer } from 'onnx-mish/train';
 * import { webProvider } from 'onnx-mish/web';
 * import * as ort from 'onnxruntime-web/all';
 *
 * const x = { elemType: 'f32', dims: [128, 3], data: new Float32Array(384) };
 * const targets = { elemType: 'f32', dims: [128, 1], data: new Float32Array(128) };
 * const provider = webProvider(ort, 'wasm');
 * const trainer = await createTrainer(bytes, { inputs: { x }, targets, loss: 'mse', provider });
 * for await (const { loss } of trainer) console.log(loss);
 */
export function webProvider(ort: typeof Ort, name: WebProvider): Provider {
  return ortProvider(name, () => createRuntime(ort, name, false));
}
