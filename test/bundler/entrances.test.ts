import { expect, test } from 'vitest';
import esbuild from '../../src/bundler/esbuild.js';
import * as door from '../../src/bundler/index.js';
import rollup from '../../src/bundler/rollup.js';
import rspack from '../../src/bundler/rspack.js';
import vite from '../../src/bundler/vite.js';
import webpack from '../../src/bundler/webpack.js';

test.each([
  ['esbuild', esbuild, door.esbuild],
  ['rollup', rollup, door.rollup],
  ['rspack', rspack, door.rspack],
  ['vite', vite, door.vite],
  ['webpack', webpack, door.webpack],
])('the default export of onnx-mish/%s is the plugin for that bundler', (_, plugin, named) => {
  expect(plugin).toBe(named);
  expect(plugin({ target: 'webgl' })).toBeTypeOf('object');
});
