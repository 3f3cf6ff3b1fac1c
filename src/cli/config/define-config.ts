import type { Config } from './config-schema.js';

export type { Config };

/**
 * Returns a configuration unchanged; its type lets an editor complete the keys.
 *
 * @example
 * import { defineConfig } from 'onnx-mish/config';
 *
 * export default defineConfig({ swap: { models: ['models/*.onnx'], outDir: 'dist', target: 'wasm' } });
 */
export function defineConfig(config: Config): Config {
  return config;
}
