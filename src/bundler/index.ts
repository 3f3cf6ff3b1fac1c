// Bundles swapped models as assets: `import url from './model.onnx?mish'`.
import { createUnplugin, type UnpluginInstance } from 'unplugin';
import { factory } from './plugin.js';
import type { MishOptions } from './request.js';

export type { MishOptions } from './request.js';

/** The plugin for all bundlers that unplugin supports. */
export const onnxMish: UnpluginInstance<MishOptions | undefined, false> = createUnplugin(factory);

/**
 * The plugin for one bundler. Throws `bad-usage` for invalid options.
 * @example
 * export default defineConfig({ plugins: [vite({ target: 'webgpu' })] });
 */
export const { vite, rollup, rolldown, webpack, rspack, esbuild } = onnxMish;
