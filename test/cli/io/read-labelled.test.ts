import { mkdir } from 'node:fs/promises';
import { zipSync } from 'fflate';
import { expect, test } from 'vitest';
import { readLabelled } from '../../../src/cli/io/read-labelled.js';
import { dataDigest } from '../../../src/finetune/digest.js';
import { splitData } from '../../../src/finetune/split-data.js';
import { elementCount } from '../../../src/providers/tensor.js';
import { tempFolder } from '../../support/folder.js';
import { failure } from '../../support/graph.js';
import { npy } from '../../support/numpy.js';

const INPUTS = [{ name: 'x', elemType: 'f32', dims: ['N', 3, 4, 5] }];
const { signal } = new AbortController();
const bytes = (dims: readonly number[]) =>
  npy(
    '|u1',
    [...dims],
    Uint8Array.from({ length: elementCount(dims) }, (_, at) => at % 251),
  );
const ONE_HOT = npy('|u1', [2, 3], Uint8Array.of(0, 0, 1, 1, 0, 0));

test('arrays are scaled and transposed, and one-hot labels are classes, with one note', async () => {
  const folder = await tempFolder();
  const data = await folder.write('d.npz', zipSync({ 'x.npy': bytes([2, 4, 5, 3]), 'y.npy': ONE_HOT }));
  const notes: string[] = [];
  const flags = { data, test: data, labels: 'y', scale: 1 / 255, dataLayout: 'nhwc' } as const;
  const maker = readLabelled(flags, signal, (note) => notes.push(note));
  const labelled = await maker.data(INPUTS);
  await maker.test?.(INPUTS);
  expect(labelled.targets).toEqual([2, 0]);
  expect(notes).toEqual(["the labels 'y' are one-hot: the position of the 1 is the class"]);
  const x = { elemType: 'f32', dims: [1, 3, 4, 5], data: new Float32Array(60) };
  await labelled.samples.read([1], { x });
  for (let channel = 0; channel < 3; channel++)
    for (let pixel = 0; pixel < 20; pixel++)
      expect(x.data[channel * 20 + pixel]).toBe(Math.fround((60 + pixel * 3 + channel) / 255));
});

test('channels in the other place are refused with the option that transposes them', async () => {
  const folder = await tempFolder();
  const data = await folder.write('d.npz', zipSync({ 'x.npy': bytes([2, 4, 5, 3]), 'y.npy': ONE_HOT }));
  const error = await failure((async () => readLabelled({ data, labels: 'y' }, signal).data(INPUTS))());
  expect(error).toMatchObject({ code: 'bad-data', where: data, option: { dataLayout: 'nhwc' } });
});

test('the digest is of the arrays: another packing has the same, another scale does not', async () => {
  const folder = await tempFolder();
  const [x, y] = [bytes([2, 3, 4, 5]), ONE_HOT];
  const packed = { 'x.npy': x, 'y.npy': y };
  const digest = async (name: string, archive: Uint8Array, scale?: number) => {
    const data = await folder.write(name, archive);
    return dataDigest(
      await readLabelled({ data, labels: 'y', ...(scale && { scale }) }, signal).data(INPUTS),
    );
  };
  const first = await digest('a.npz', zipSync(packed, { level: 0 }));
  expect(await digest('b.npz', zipSync({ 'y.npy': y, 'x.npy': x }, { level: 9 }))).toBe(first);
  expect(await digest('c.npz', zipSync(packed), 0.5)).not.toBe(first);
  expect(
    await digest('d.npz', zipSync({ ...packed, 'y.npy': npy('|u1', [2], Uint8Array.of(2, 1)) })),
  ).not.toBe(first);
});

test.each([12, 30, 59, 60])(
  '%d of 60 samples have the numbers that they have in the file',
  async (samples) => {
    const folder = await tempFolder();
    const labels = npy(
      '|u1',
      [60],
      Uint8Array.from({ length: 60 }, (_, at) => at),
    );
    const data = await folder.write('d.npz', zipSync({ 'x.npy': bytes([60, 3, 4, 5]), 'y.npy': labels }));
    const maker = readLabelled({ data, test: data, labels: 'y', samples }, signal);
    const [all, more] = [await maker.data(INPUTS), await maker.test?.(INPUTS)];
    const { train, validation, test: tested } = splitData(all, more, { validation: 0.2, seed: 1 });
    expect(train.count + (validation?.count ?? 0)).toBe(samples);
    for (const { targets, origin, count } of [train, validation, tested].flatMap((part) => part ?? [])) {
      const numbers = origin?.indices ?? Array.from({ length: count }, (_, at) => at);
      expect(Array.from(numbers)).toEqual(Array.from('elemType' in targets ? targets.data : targets, Number));
    }
  },
);

test('images for the test have the class numbers of the training images, by the names of their folders', async () => {
  const folder = await tempFolder();
  const images = async (name: string, ...classes: string[]) => {
    for (const one of classes) {
      await mkdir(folder.at(name, one), { recursive: true });
      await folder.write(`${name}/${one}/1.png`, one);
    }
    return folder.at(name);
  };
  const train = await images('train', 'cat', 'dog', 'fish');
  const targets = async (path: string) =>
    (await readLabelled({ images: train, test: path }, signal).test?.(INPUTS))?.targets;
  expect((await readLabelled({ images: train }, signal).data(INPUTS)).targets).toEqual([0, 1, 2]);
  expect(await targets(await images('few', 'dog', 'fish'))).toEqual([1, 2]);
  const error = await failure(targets(await images('more', 'cat', 'lion')));
  expect(error).toMatchObject({ code: 'bad-data', where: folder.at('more', 'lion') });
});

test('the digest of images is of the files and of what is done to them, however their folder is written', async () => {
  const folder = await tempFolder();
  for (const name of ['cat', 'dog']) {
    await mkdir(folder.at('train', name), { recursive: true });
    await folder.write(`train/${name}/1.png`, name);
  }
  const digestsOf = async (options: Partial<Parameters<typeof readLabelled>[0]>) => {
    const images = folder.at('train');
    const data = await readLabelled({ images, ...options }, signal).data(INPUTS);
    return [data.digest, await data.samples.digest?.()];
  };
  const known = await digestsOf({});
  for (const written of ['train/', './train', 'train/../train', './/train//'])
    expect(await digestsOf({ images: `${folder.path}/${written}` }), written).toEqual(known);
  const changes = [
    { mean: [0.5, 0.5, 0.5] },
    { std: [0.5, 0.5, 0.5] },
    { mean: [0.5, 0.4, 0.5] },
    { resize: 9 },
    { channels: 'bgr' },
  ] as const;
  const all = [known, ...(await Promise.all(changes.map(digestsOf)))];
  for (const of of [0, 1]) expect(new Set(all.map((digests) => digests[of])).size).toBe(all.length);
});
