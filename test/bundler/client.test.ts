import { execFile } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { tempFolder } from '../support/folder.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

const GOOD = `
import { InferenceSession } from 'onnxruntime-web';
import url, { externalData } from './net.onnx?mish';
import sharp from './net.onnx?beta=4&mish';
import info from './net.onnx?mish-info';
import { esbuild, type MishOptions, rollup, rspack, vite, webpack } from 'onnx-mish/unplugin';
import type { Configuration as RspackConfiguration } from '@rspack/core';
import type { BuildOptions } from 'esbuild';
import type { RollupOptions } from 'rollup';
import { defineConfig } from 'vite';
import type { Configuration } from 'webpack';

const options: MishOptions = { target: 'webgl', exclude: ['/head/*'] };
export const forVite = defineConfig({ plugins: [vite(options)] });
export const forRollup: RollupOptions = { plugins: [rollup(options)] };
export const forWebpack: Configuration = { plugins: [webpack(options)] };
export const forRspack: RspackConfiguration = { plugins: [rspack()] };
export const forEsbuild: BuildOptions = { plugins: [esbuild()] };
export const session = InferenceSession.create(url, { externalData });
export const text: string = sharp;
export const sites: number = info.sites.length;
`;
const BAD = `
import url, { missing } from './net.onnx?mish';
import { vite } from 'onnx-mish/unplugin';
export const size: number = url;
export const plugin = vite({ target: 'npu' });
`;

test('imports of models have types in strict TypeScript', async () => {
  const folder = await tempFolder();
  await mkdir(folder.at('node_modules'));
  await symlink(root, folder.at('node_modules', 'onnx-mish'));
  for (const name of ['onnxruntime-web', 'onnxruntime-common', 'vite', 'webpack', 'esbuild', 'rollup']) {
    await symlink(`${root}node_modules/${name}`, folder.at('node_modules', name));
  }
  await mkdir(folder.at('node_modules', '@rspack'));
  await symlink(`${root}node_modules/@rspack/core`, folder.at('node_modules', '@rspack', 'core'));
  await folder.write('package.json', '{ "type": "module" }');
  await folder.write('good.ts', GOOD);
  await folder.write('bad.ts', BAD);
  const check = async (file: string) => {
    const compilerOptions = {
      ...{ target: 'es2022', module: 'esnext', moduleResolution: 'bundler', strict: true, noEmit: true },
      ...{ skipLibCheck: true, types: ['onnx-mish/client'] },
    };
    await folder.write('tsconfig.json', JSON.stringify({ compilerOptions, files: [file] }));
    const tsc = `${root}node_modules/typescript/bin/tsc`;
    const run = promisify(execFile)(process.execPath, [tsc, '--pretty', 'false'], { cwd: folder.path });
    return run.then(
      ({ stdout }) => stdout,
      ({ stdout }: { stdout: string }) => stdout,
    );
  };
  expect(await check('good.ts')).toBe('');
  const lines = (await check('bad.ts')).split('\n').filter((line) => line.startsWith('bad.ts'));
  expect(lines.map((line) => line.replace(/^bad\.ts\((\d+).*?: error (TS\d+).*/, '$1 $2'))).toEqual([
    '2 TS2614',
    '4 TS2322',
    '5 TS2322',
  ]);
});
