import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { shellWord } from '../../../src/cli/text/say-cost.js';

const PATHS = [
  'net.onnx',
  'my net.onnx',
  "it's $HOME.onnx",
  '-net.onnx',
  'a"b`c.onnx',
  '100%!.onnx',
  'sub\\net.onnx',
];

test('a path is one word for a shell', () => {
  const words = PATHS.map((path) => shellWord(path, 'linux')).join(' ');
  const told = execFileSync('sh', ['-c', `printf '%s\\n' ${words}`], { encoding: 'utf8' });
  expect(told.trimEnd().split('\n')).toEqual(
    PATHS.map((path) => (path.startsWith('-') ? `./${path}` : path)),
  );
});

test('on Windows it has double quotes, where it needs any', () => {
  expect(
    ['C:\\nets\\a.onnx', 'C:\\my nets\\a.onnx', 'out/a.onnx', "it's.onnx"].map((path) =>
      shellWord(path, 'win32'),
    ),
  ).toEqual(['C:\\nets\\a.onnx', '"C:\\my nets\\a.onnx"', 'out/a.onnx', '"it\'s.onnx"']);
});
