import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import manifest from '../package.json' with { type: 'json' };
import { VERSION } from '../src/version.js';

const root = fileURLToPath(new URL('../src/', import.meta.url));
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => /\.tsx?$/.test(name));

/** From the top down: imports go to the right, never to the left. */
const LAYERS = [
  'cli',
  'web',
  'bundler',
  'report',
  'calibrate',
  'validate',
  'providers',
  'node',
  'mish',
  'onnx',
];

const layerOf = (path: string) => (path.includes('/') ? LAYERS.indexOf(path.split('/')[0] ?? '') : undefined);

const imports = files.flatMap((file) => {
  const code = readFileSync(join(root, file), 'utf8');
  const found = code.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g);
  return [...found].map(([, target = '']) => ({ file, target }));
});

test('every folder is a layer', () => {
  for (const file of files) expect(layerOf(file), file).not.toBe(-1);
});

test('imports point down', () => {
  const inner = imports.filter(({ target }) => target.startsWith('.') && !target.includes('/proto/'));
  expect(inner.length).toBeGreaterThan(100);
  for (const { file, target } of inner) {
    const [from, to] = [layerOf(file), layerOf(relative(root, join(root, file, '..', target)))];
    if (from === undefined || to === undefined) continue; // index.ts and version.ts belong to no layer
    expect(to, `${file} imports ${target}`).toBeGreaterThanOrEqual(from);
  }
});

describe('what is fenced off', () => {
  test.each([
    [/^node:/, /^(node|cli|bundler)\/|^providers\/(node\.ts$|browser\/)/],
    [/^onnxruntime-node/, /^providers\/node\.ts$/],
    [
      /^onnxruntime-web/,
      /^web\/((harness|runtime|facts|session\/create)\.ts$|workbench\/engine\/provider\.ts$)/,
    ],
    [/^playwright-core$/, /^providers\/browser\/page\.ts$/],
    [/\/proto\/(onnx|wire)\.js$/, /^(onnx|mish)\//],
    [/^commander$/, /^cli\//],
    [
      /^zod$/,
      /^validate\/report(-measures)?\.ts$|^cli\/(config-schema|load-config)\.ts$|^web\/workbench\/engine\/runner\.ts$/,
    ],
    [/^(jiti|lilconfig)$/, /^cli\/load-config\.ts$/],
    [/^tinyglobby$/, /^cli\/inputs\.ts$/],
    [/^fflate$/, /^node\//],
    [/^ml-matrix$/, /^calibrate\//],
    [/^(unplugin|esbuild)$/, /^bundler\//],
    [/^sharp$/, /^node\/read-images\.ts$/],
    [/^vega/, /^report\/html\//],
    [/^preact/, /^(report\/html|web\/workbench\/page)\//],
    [/^(uplot|comlink)$/, /^web\/workbench\//],
  ])('%s is imported by %s only', (target, allowed) => {
    const users = imports.filter((entry) => target.test(entry.target));
    expect(users.length).toBeGreaterThan(0);
    for (const { file } of users) expect(file).toMatch(allowed);
  });
});

test('no file has grown past 400 lines', () => {
  for (const file of files) {
    expect(readFileSync(join(root, file), 'utf8').split('\n').length, file).toBeLessThanOrEqual(401);
  }
});

test('the version is package.json’s', () => {
  expect(VERSION).toBe(manifest.version);
});
