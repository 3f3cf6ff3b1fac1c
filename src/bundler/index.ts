// Swapped models as assets of a bundle: `import url from './model.onnx?mish'`.
import { createUnplugin, type UnpluginInstance } from 'unplugin';
import { factory } from './plugin.js';
import type { MishOptions } from './request.js';

export type { MishOptions } from './request.js';

/** The plugin for every bundler that unplugin knows. */
export const onnxMish: UnpluginInstance<MishOptions | undefined, false> = createUnplugin(factory);

/** The plugin of one bundler. Throws `bad-usage` for options that cannot be. */
export const { vite, rollup, rolldown, webpack, rspack, esbuild } = onnxMish;
