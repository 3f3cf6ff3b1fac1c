import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { WEBGL_OPERATORS, WEBGL_OPERATORS_VERSION } from '../../../src/providers/webgl/operators.js';
import { tempFolder } from '../../support/folder.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const dist = dirname(createRequire(import.meta.url).resolve('onnxruntime-web/wasm'));

test('the table is what the installed onnxruntime-web’s document gives', async () => {
  const folder = await tempFolder();
  const out = folder.at('webgl-operators.ts');
  execFileSync(process.execPath, [join(root, 'test/generate/webgl-operators.js'), out]);
  const committed = readFileSync(join(root, 'src/providers/webgl/operators.ts'), 'utf8');
  expect(readFileSync(out, 'utf8')).toBe(committed);
  const { version } = JSON.parse(readFileSync(join(dist, '../package.json'), 'utf8'));
  expect(WEBGL_OPERATORS_VERSION).toBe(version);
});

test('and what its code resolves, in every opset', () => {
  const code = readFileSync(join(dist, 'ort.webgl.mjs'), 'utf8');
  const start = code.indexOf('WEBGL_OP_RESOLVE_RULES = [');
  const rules = [...code.slice(start, code.indexOf('];', start)).matchAll(/\["(\w+)", "", "([\d+-]+)"/g)];
  expect(rules.length).toBeGreaterThan(70);
  const resolves = (op: string, opset: number) =>
    rules.some(([, name, range = '']) => {
      const [first = 0, last] = range.replace('+', '').split('-').map(Number);
      return name === op && opset >= first && (range.endsWith('+') || opset <= (last ?? first));
    });
  const listed = (op: string, opset: number) =>
    WEBGL_OPERATORS[op]?.some(([first, last = Number.POSITIVE_INFINITY]) => opset >= first && opset <= last);
  // ImageScaler was ONNX's before there were operator sets, and is in no document.
  const names = new Set([...rules.map(([, name = '']) => name), ...Object.keys(WEBGL_OPERATORS)]);
  names.delete('ImageScaler');
  for (const op of names) {
    for (let opset = 1; opset <= 30; opset++)
      expect(`${op} ${opset} ${listed(op, opset) ?? false}`).toBe(`${op} ${opset} ${resolves(op, opset)}`);
  }
});

test('onnxruntime-web is held at releases that have WebGL', () => {
  const { peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  // A patch release may come by itself; the next minor one may be the one without WebGL.
  expect(peerDependencies['onnxruntime-web']).toMatch(/^~\d+\.\d+\.\d+$/);
  expect(existsSync(join(dist, 'ort.webgl.min.mjs'))).toBe(true);
});
