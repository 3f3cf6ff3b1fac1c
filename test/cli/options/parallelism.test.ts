import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { expect, test } from 'vitest';
import { nodeProvider } from '../../../src/providers/node/provider.js';
import { cli, cliJson } from '../../support/cli.js';
import { tempFolder } from '../../support/folder.js';
import { model, node } from '../../support/model.js';

const cores = availableParallelism();
const relu = () => model({ nodes: [node('Relu', ['x'], ['y'])] });

test('a session starts at most one thread for each core', async () => {
  const session = await nodeProvider('cpu').open(relu(), { threads: 1_000_000 });
  expect(session.runtime.threads).toBe(cores);
  await session.close();
});

test('--threads and --jobs beyond the machine are limited, and a note tells it once', async () => {
  const folder = await tempFolder();
  await mkdir(folder.at('zoo'));
  const path = await folder.write('zoo/m.onnx', relu());
  const validate = ['validate', path, '--no-latency', '--dim', '*=1', '--threads', '1000000'];
  const { code, stderr, json } = await cliJson(validate);
  expect(code).toBe(0);
  expect(json.providers[0].runtime.threads).toBe(cores);
  expect(stderr.match(/--threads 1000000 is more than this machine can use/g)).toHaveLength(1);

  const jobs = 64;
  const swap = (count: number) => ['swap', `${folder.at('zoo')}/*.onnx`, '--out-dir', folder.at('out'), '-f', '--jobs', `${count}`]; // biome-ignore format: one call
  const many = await cli(swap(1_000_000));
  expect(many.code).toBe(0);
  expect(many.stderr).toContain(`${jobs} jobs start`);
  expect((await cli([...swap(1_000_000), '-q'])).stderr).toBe('');
  expect((await cli(swap(jobs))).stderr).not.toContain('more than this machine');
});
