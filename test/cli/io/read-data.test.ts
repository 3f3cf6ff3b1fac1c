import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { onnx } from '../../../proto/onnx.js';
import { OnnxMishError } from '../../../src/base/error.js';
import { readData } from '../../../src/cli/io/read-data.js';
import { tempFolder } from '../../support/folder.js';
import { failure } from '../../support/graph.js';

test.each([
  ['2^62 elements', [2 ** 31, 2 ** 31]],
  ['a negative dimension', [-1]],
  ['two of them, whose product is right', [-1, -1]],
  ['more than a number can be', [2 ** 62, 2 ** 62]],
])('a tensor of a test case that claims %s is refused before memory is taken', async (_, dims) => {
  const folder = await tempFolder();
  const tensor = { name: 'x', dataType: 1, dims, rawData: new Uint8Array(4) };
  await folder.write('input_0.pb', onnx.TensorProto.encode(tensor).finish());
  const error = await failure(readData({ data: folder.path, seed: 0 }, 1));
  expect(error).toBeInstanceOf(OnnxMishError);
  expect(error).toMatchObject({
    code: 'bad-data',
    what: expect.stringMatching(/^tensor 'x' .* holds 4 bytes$/),
  });
});

test.each([
  ['--labels', { labels: 'y' }],
  ['--scale', { scale: 1 / 255 }],
  ['--data-layout', { dataLayout: 'nhwc' as const }],
])('test cases refuse %s, which would have no effect', async (flag, more) => {
  const folder = await tempFolder();
  const tensor = { name: 'x', dataType: 1, dims: [1], rawData: new Uint8Array(4) };
  await folder.write('input_0.pb', onnx.TensorProto.encode(tensor).finish());
  const flags = { data: folder.path, seed: 0 };
  expect((await readData(flags, 1))([{ name: 'x', elemType: 'f32', dims: [1] }], []).feeds).toHaveLength(1);
  expect(await failure(readData({ ...flags, ...more }, 1))).toMatchObject({
    code: 'bad-usage',
    where: folder.path,
    what: expect.stringContaining(flag),
  });
});

test.each(['samples.npz', 'input_0.pb'])(
  'samples in a pipe, %s, are refused and not waited for',
  async (name) => {
    const folder = await tempFolder();
    execFileSync('mkfifo', [folder.at(name)]);
    const data = name.endsWith('.pb') ? folder.path : folder.at(name);
    expect(await failure(readData({ data, seed: 0 }, 1))).toMatchObject({
      code: 'io',
      where: folder.at(name),
      what: 'this is not a regular file',
    });
  },
);
