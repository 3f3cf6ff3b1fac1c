import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { getProvider } from '../../src/node/index.js';
import { cli, cliJson } from '../support/cli.js';
import { tempFolder } from '../support/folder.js';
import { everyNth, isHeavy } from '../support/heavy.js';
import { npy, raw } from '../support/numpy.js';

// Models as exporters write them: each goes through the commands with no option but the file.

const here = fileURLToPath(new URL('.', import.meta.url));
const models = readdirSync(here).filter((name) => name.endsWith('.onnx'));

/** Sites of each model, as its script builds it. */
const SITES: Readonly<Record<string, number>> = {
  'dynamo-attention': 2,
  'dynamo-cnn': 4,
  'dynamo-lstm': 1,
  'keras-cnn': 3,
  'paddle-cnn': 3,
  'paddle-mlp': 2,
  'sklearn-forest': 0,
  'sklearn-mlp': 2,
  'sklearn-mlp-strings': 1,
  'sklearn-regressor': 2,
  'tf2onnx-cnn': 3,
  'tf2onnx-function': 2,
  'tf2onnx-gru': 1,
  'torchscript-attention': 2,
  'torchscript-cnn': 4,
  'torchscript-lstm': 1,
};

/** Puts a model with its data file into a new folder. */
async function copyOf(name: string) {
  const folder = await tempFolder();
  for (const file of readdirSync(here).filter((one) => one === name || one === `${name}.data`)) {
    await folder.write(file, readFileSync(join(here, file)));
  }
  return { ...folder, path: folder.at(name) };
}

/** Returns an archive of random samples for the inputs of a model. */
async function samplesFor(path: string, count: number): Promise<Uint8Array> {
  const session = await getProvider('cpu').open(path);
  await session.close();
  const arrays = session.inputs.map(({ name, elemType, dims }) => {
    const shape = [count, ...dims.slice(1).map((dim) => (typeof dim === 'number' ? dim : 5))];
    const length = shape.reduce((product, dim) => product * dim, 1);
    const values = Array.from({ length }, (_, at) => (Math.sin(at * 12.9898) * 43758.5453) % 1);
    const array =
      elemType === 'i64'
        ? npy(
            '<i8',
            shape,
            raw(BigInt64Array.from(values, (value) => BigInt(Math.floor(Math.abs(value) * 20)))),
          )
        : npy('<f4', shape, raw(Float32Array.from(values, Math.abs)));
    return [`${name}.npy`, array] as const;
  });
  return zipSync(Object.fromEntries(arrays));
}

test('every exporter has its models', () => {
  expect(models.map((name) => basename(name, '.onnx')).sort()).toEqual(Object.keys(SITES).sort());
});

describe.each(models)('%s', (name) => {
  const sites = SITES[basename(name, '.onnx')] ?? 0;

  test('goes through inspect, swap, validate and undo', async () => {
    const folder = await copyOf(name);
    const { json: inspection } = await cliJson(['inspect', folder.path]);
    expect(inspection.sites).toHaveLength(sites);
    const { json: swapped, code } = await cliJson(['swap', folder.path]);
    expect(code).toBe(0);
    expect(swapped.sites).toHaveLength(sites);
    const both = [[swapped.output], []];
    for (const second of isHeavy ? both : [both[models.indexOf(name) % 2] ?? []]) {
      const { json, code } = await cliJson(['validate', folder.path, ...second, '--no-latency']);
      expect(json.providers[0]).toMatchObject({ provider: 'cpu', status: 'ran' });
      expect(code).toBe(0);
    }
    if (sites > 0) {
      const { json: undone } = await cliJson(['undo', swapped.output]);
      expect(readFileSync(undone.output).equals(readFileSync(folder.path))).toBe(true);
    } else expect(readFileSync(swapped.output).equals(readFileSync(folder.path))).toBe(true);
  });

  if (!everyNth(2, models).includes(name)) return;

  test('goes through calibrate with samples', async () => {
    const folder = await copyOf(name);
    const data = await folder.write('samples.npz', await samplesFor(folder.path, isHeavy ? 512 : 12));
    const quick = isHeavy ? [] : ['--steps', '1', '--threads', '1'];
    const { json, code, stderr } = await cliJson(['calibrate', folder.path, '--data', data, ...quick]);
    expect(code, stderr).toBe(0);
    expect(json.sites ?? []).toHaveLength(sites);
    const { code: again } = await cli(['inspect', json.output]);
    expect(again).toBe(0);
  });
});
