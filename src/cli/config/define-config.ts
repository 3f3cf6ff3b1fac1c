import type { Config } from './config-schema.js';

export type { Config };

/**
 * A configuration as it is; an editor knows its keys. `export default defineConfig({ swap: { target: 'webgl' } })`
 *
 * @example
 * import { defineConfig } from 'onnx-mish/config';
 *
 * export default defineConfig({ swap: { models: ['models/*.onnx'], outDir: 'dist', target: 'wasm' } });
 */
export function defineConfig(config: Config): Config {
  return config;
}
