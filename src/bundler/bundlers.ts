// The plugin for each bundler.
import { createUnplugin, type UnpluginInstance } from 'unplugin';
import { factory } from './plugin.js';
import type { MishOptions } from './request.js';

/**
 * The plugin for all bundlers that unplugin supports.
 *
 * @example
 * import { onnxMish } from 'onnx-mish/unplugin';
 *
 * const plugins = [onnxMish.vite({ target: 'webgl' })];
 */
export const onnxMish: UnpluginInstance<MishOptions | undefined, false> = createUnplugin(factory);

/**
 * The plugin for one bundler. Throws `bad-usage` for invalid options.
 *
 * @example
 * import { vite as onnxMish } from 'onnx-mish/unplugin';
 * import { defineConfig } from 'vite';
 *
 * export default defineConfig({ plugins: [onnxMish({ target: 'webgl' })] });
 */
export const { vite, rollup, rolldown, webpack, rspack, esbuild } = onnxMish;
