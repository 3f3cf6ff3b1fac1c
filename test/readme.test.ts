import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { zipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { floats, model, node, value } from './support/model.js';
import { npy, raw } from './support/numpy.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const cli = join(root, 'dist/bin/main.js');

/** The code blocks of a section, by their language. */
function blocks(section: string, language: string): string[] {
  const text = readme.split(/^## /m).find((part) => part.startsWith(section)) ?? '';
  return [...text.matchAll(/```(\w*)\n([\s\S]*?)```/g)].flatMap(([, kind, code = '']) =>
    kind === language ? [code] : [],
  );
}

// Inside the package, so that it can import itself by name.
const parent = join(root, '.demo');
let folder = '';

beforeAll(() => {
  mkdirSync(parent, { recursive: true });
  folder = mkdtempSync(join(parent, 'readme-'));
  const bytes = model({
    nodes: [
      node('MatMul', ['x', 'w'], ['h'], {}, { name: 'linear' }),
      node('Relu', ['h'], ['y'], {}, { name: 'act' }),
    ],
    inputs: [value('x', 1, [2, 3])],
    outputs: [value('y', 1, [2, 3])],
    initializers: [floats('w', [3, 3], [1, -2, 3, -4, 5, -6, 7, -8, 9])],
  });
  writeFileSync(join(folder, 'model.onnx'), bytes);
  const samples = Float32Array.from({ length: 64 * 3 }, (_, index) => 3 * Math.sin(7 * index));
  writeFileSync(join(folder, 'samples.npz'), zipSync({ 'x.npy': npy('<f4', [64, 3], raw(samples)) }));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the README', () => {
  test('has command lines that work, in their order', async () => {
    const [block = ''] = blocks('The command line', 'sh');
    const lines = block.split('\n').map((line) => line.replace(/#.*/, '').trim());
    const commands = lines.filter((line) => line.startsWith('onnx-mish '));
    expect(commands.length).toBeGreaterThanOrEqual(7);
    for (const command of commands) {
      const [line = '', into] = command.split(' > ');
      const words = line
        .split(/\s+/)
        .slice(1)
        .map((word) => word.replace(/^'(.*)'$/, '$1'));
      // The second swap of the list would be refused, rightly: the first one's output is there.
      const force = words[0] === 'swap' && existsSync(join(folder, 'model.mish.onnx')) ? ['--force'] : [];
      const { stdout } = await run(process.execPath, [cli, ...words, ...force], { cwd: folder });
      expect(stdout, command).not.toBe('');
      if (into !== undefined) writeFileSync(join(folder, into), stdout);
    }
    const [original, again] = ['model.onnx', 'again.onnx'].map((name) => readFileSync(join(folder, name)));
    expect(again).toEqual(original);
  });

  test('has a library example that works', async () => {
    const [code = ''] = blocks('The library', 'js');
    const script = join(folder, 'library.mjs');
    for (const name of ['model.mish.onnx', 'swapped.onnx']) rmSync(join(folder, name), { force: true });
    writeFileSync(
      script,
      `import { readFileSync } from 'node:fs';
const bytes = new Uint8Array(readFileSync('model.onnx'));
${code}
console.log(JSON.stringify([sites.length, report.form, Buffer.compare(original, bytes), ...result.providers.map(({ status }) => status), html.slice(0, 15)]));`,
    );
    const { stdout } = await run(process.execPath, [script], { cwd: folder });
    expect(JSON.parse(stdout)).toEqual([1, 'exp', 0, 'ran', 'ran', '<!doctype html>']);
  });

  test('names scripts that there are', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = [...readme.matchAll(/npm (?:run )?((?:bench:)?[a-z]+)/g)].map(([, name = '']) => name);
    for (const name of named.filter(
      (name) => !['ci', 'i', 'rebuild', 'install', 'package', 'packages', 'scripts', 'models'].includes(name),
    )) {
      expect(Object.keys(scripts)).toContain(name);
    }
  });

  test('links to files that there are', () => {
    for (const [, target = ''] of readme.matchAll(/\]\((?!https?:)([^)#]+)/g)) {
      expect(existsSync(join(root, target)), target).toBe(true);
    }
  });
});
