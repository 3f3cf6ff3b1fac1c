import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { cliJson } from '../support/cli.js';
import { tempFolder } from '../support/folder.js';

const bytes = readFileSync(new URL('../cases/skl_zipmap.onnx', import.meta.url));

test.each([
  [['validate', 'm.onnx', '--no-latency']],
  [['inspect', 'm.onnx', '--data', 'random']],
  [['rank', 'm.onnx', '--data', 'random', '--samples', '8']],
  [['calibrate', 'm.onnx', '--data', 'random', '--samples', '64', '--steps', '2', '-o', 'c.onnx']],
  [['swap', 'm.onnx', '--data', 'random', '--samples', '8', '--keep', 'sqnr>=0', '-o', 'k.onnx']],
])('%j runs on a classifier whose probabilities are maps', async (args) => {
  const folder = await tempFolder();
  await folder.write('m.onnx', bytes);
  const { code, json } = await cliJson(args, { cwd: folder.path });
  expect([code, json.error]).toEqual([0, undefined]);
  if (args[0] !== 'validate') return;
  const [cpu] = json.providers;
  expect(cpu.drift.map(({ output }: { output: string }) => output)).toEqual(['label', 'p']);
  expect(cpu.notes).toEqual([
    "output 'probs' is not a tensor: compared in its place is 'p', of which it is made",
  ]);
});
