import { expect, test } from 'vitest';
import esbuild from '../../src/bundler/esbuild.js';
import * as all from '../../src/bundler/index.js';
import rollup from '../../src/bundler/rollup.js';
import rspack from '../../src/bundler/rspack.js';
import vite from '../../src/bundler/vite.js';
import webpack from '../../src/bundler/webpack.js';

test.each(Object.entries({ esbuild, rollup, rspack, vite, webpack }))(
  'the default export of onnx-mish/%s is the plugin for that bundler',
  (name, plugin) => {
    expect(plugin).toBe(all[name as 'vite']);
    expect(plugin({ target: 'webgl' })).toBeTypeOf('object');
  },
);
