import fc from 'fast-check';
import { zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { classNumbers } from '../../src/data/class-folders.js';
import { finetuneModel } from '../../src/finetune/finetune.js';
import { labelledArrays } from '../../src/finetune/labelled-arrays.js';
import { host } from '../../src/node/host.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import type { Provider } from '../../src/providers/provider.js';
import { compareSteps } from '../../src/web/workbench/engine/compare-steps.js';
import { labelledMakers } from '../../src/web/workbench/engine/labelled.js';
import { likelyLabels } from '../../src/web/workbench/page/labels.js';
import { sortFiles } from '../../src/web/workbench/page/sort-files.js';
import type { FinetuneChoice, FinetuneEvent } from '../../src/web/workbench/room-protocol.js';
import { COMPARE_START, compareChoice, reduceCompare } from '../../src/web/workbench/rooms/compare-state.js';
import { FINETUNE_START, reduceFinetune } from '../../src/web/workbench/rooms/finetune-state.js';
import { CLASSES, classified, classifier, FEATURES } from '../support/classified.js';
import { npy, raw } from '../support/numpy.js';

const file = (name: string) => ({ name, blob: new Blob() });

test('dropped files are sorted into model, arrays and images', () => {
  const all = ['a.onnx', 'w.data', 'train.npz', 'test.npz', '.DS_Store'].map(file);
  expect(sortFiles(all)).toMatchObject({
    model: [{ name: 'a.onnx' }, { name: 'w.data' }],
    train: { name: 'train.npz' },
    test: { name: 'test.npz' },
    images: [],
  });
  expect(sortFiles([file('x/cat/1.jpg'), file('x/dog/2.PNG')])).toMatchObject({
    model: [],
    images: { length: 2 },
  });
  for (const names of [
    ['a.npz', 'b.npz'],
    ['a.npz', 'c/1.png'],
    ['a.npz', 'b.npy', 'test.npz'],
  ])
    expect(sortFiles(names.map(file))).toMatchObject({ problem: { fix: expect.any(String) } });
});

test('beside images, only models and awaited data count', () => {
  const images = ['x/cat/1.jpg', 'x/dog/2.png'];
  const strays = ['x/README.md', 'x/labels.csv', 'x/cat/Thumbs.db', 'w.data'];
  const subset = fc.subarray(strays);
  fc.assert(
    fc.property(subset, fc.boolean(), fc.boolean(), (others, hasModel, isMissing) => {
      const given = [...images, ...others, ...(hasModel ? ['net.onnx'] : [])];
      const wanted = given
        .filter((name) => !images.includes(name))
        .filter((name) => hasModel || (isMissing && name === 'w.data'));
      const sorted = sortFiles(given.map(file), isMissing ? ['weights/w.data'] : []);
      expect(sorted).toMatchObject({ images: { length: 2 }, model: wanted.map((name) => ({ name })) });
    }),
  );
});

test('labels are found by their name, or as the only array with one axis', () => {
  const array = (name: string, ...dims: number[]) => ({ name, elemType: 'f32', dims });
  expect(likelyLabels([array('x', 9, 2), array('weights', 9), array('y_train', 9)])).toBe('y_train');
  expect(likelyLabels([array('x', 9, 2), array('kind', 9)])).toBe('kind');
  expect(likelyLabels([array('x', 9, 2), array('a', 9), array('b', 9)])).toBe('');
  expect(likelyLabels([array('x', 9)])).toBe('');
});

test('folders with whole numbers as names keep them as classes', () => {
  expect([...classNumbers(['dog', 'cat', 'dog'])]).toEqual([['cat', 0], ['dog', 1]]); // biome-ignore format: pairs
  expect([...classNumbers(['7', '3', '10'])].sort()).toEqual([['10', 10], ['3', 3], ['7', 7]]); // biome-ignore format: pairs
});

describe('events of a training', () => {
  const model = file('a.onnx');
  const choice: FinetuneChoice = {
    input: { kind: 'bundled' },
    swap: { form: 'exp', beta: 1, leaky: 'mish', sites: [0] },
    ...{ epochs: 3, rate: 0.1, batch: 8, flip: false, repair: false, provider: 'wasm' },
  };
  const started = reduceFinetune(FINETUNE_START, { kind: 'train', model, choice, resume: false });
  const epoch = (number: number): FinetuneEvent => ({
    ...{ kind: 'epoch', arm: 'swapped', seed: 0, before: null },
    epoch: { epoch: number, loss: 1, accuracy: 0.5, validation: null, rate: 0.1, seconds: 1 },
  });
  const withEvent = (state: typeof started, event: FinetuneEvent) =>
    reduceFinetune(state, { kind: 'event', event });

  test('after a stop no event changes the training, and going on keeps its epochs', () => {
    const one = withEvent(started, epoch(1));
    const stopped = reduceFinetune(one, { kind: 'end', ended: 'stopped' });
    expect(withEvent(stopped, epoch(2))).toBe(stopped);
    const resumed = reduceFinetune(stopped, { kind: 'train', model, choice, resume: true });
    expect(withEvent(resumed, epoch(2)).training?.epochs.map((each) => each.epoch.epoch)).toEqual([1, 2]);
    expect(reduceFinetune(stopped, { kind: 'train', model, choice, resume: false }).training?.epochs).toEqual(
      [],
    );
  });

  test('an epoch that comes again after a stop replaces the earlier ones of its arm', () => {
    const two = withEvent(withEvent(started, epoch(1)), epoch(2));
    const stopped = reduceFinetune(two, { kind: 'end', ended: 'stopped' });
    const resumed = reduceFinetune(stopped, { kind: 'train', model, choice, resume: true });
    expect(withEvent(resumed, epoch(1)).training?.epochs.map((each) => each.epoch.epoch)).toEqual([1]);
    const other = withEvent(resumed, { ...epoch(1), arm: 'original' } as FinetuneEvent);
    expect(other.training?.epochs).toHaveLength(3);
  });

  test('the losses of an epoch stay until its end, or until a stop', () => {
    const loss = (arm: 'swapped' | 'original', at: number): FinetuneEvent => ({
      ...{ kind: 'loss', arm, at, loss: 2 },
    });
    const learning = withEvent(withEvent(started, loss('swapped', 0.5)), loss('original', 0.3));
    expect(learning.training?.begun).toEqual([loss('swapped', 0.5), loss('original', 0.3)]);
    expect(withEvent(learning, epoch(1)).training?.begun).toEqual([loss('original', 0.3)]);
    expect(reduceFinetune(learning, { kind: 'end', ended: 'stopped' }).training?.begun).toEqual([]);
  });

  test('a doubt about earlier samples comes too late', () => {
    const doubt: FinetuneEvent = { kind: 'doubt', doubt: { what: 'odd.', remedy: null } };
    const samples = { kind: 'images', files: [] } as const;
    expect(withEvent(started, doubt).doubt).not.toBeNull();
    for (const action of [
      { kind: 'samples', samples },
      { kind: 'settings', change: { scale: '1/255' } },
    ] as const)
      expect(withEvent(reduceFinetune(started, action), doubt).doubt).toBeNull();
    const other = reduceFinetune(started, { kind: 'settings', change: { epochs: 9 } });
    expect(withEvent(other, doubt).doubt).not.toBeNull();
  });

  test('another model removes the results, the same model does not', () => {
    expect(reduceFinetune(started, { kind: 'model', model }).training).not.toBeNull();
    expect(reduceFinetune(started, { kind: 'model', model: file('b.onnx') }).training).toBeNull();
  });

  test('an epoch of a comparison that comes again replaces the earlier one', () => {
    const epochOf = (number: number, loss: number) => ({
      ...({ kind: 'epoch', activation: 'mish' } as const),
      epoch: { epoch: number, loss, accuracy: null, test: null, rate: 0.1, seconds: 1 },
    });
    let state = reduceCompare(COMPARE_START, {
      ...{ kind: 'start', resume: false, choice: compareChoice(COMPARE_START.settings) },
    });
    for (const event of [epochOf(1, 3), epochOf(2, 2), epochOf(1, 3), epochOf(2, 1)])
      state = reduceCompare(state, { kind: 'event', event });
    expect(state.comparison?.epochs.mish?.map(({ loss }) => loss)).toEqual([3, 1]);
  });
});

describe('a provider trains only if its first losses are the reference’s', async () => {
  const cpu = nodeProvider('cpu');
  /** The CPU, with every output scaled. */
  const scaled = (factor: number): Provider => ({
    ...cpu,
    name: 'webgpu',
    async open(model, options) {
      const { runInto: _, ...session } = await cpu.open(model, options);
      return {
        ...session,
        async run(feeds) {
          const outputs = await session.run(feeds);
          return Object.fromEntries(
            Object.entries(outputs).map(([name, tensor]) => {
              const { data } = tensor;
              return [
                name,
                data instanceof Float32Array ? { ...tensor, data: data.map((one) => one * factor) } : tensor,
              ];
            }),
          );
        },
      };
    },
  });
  const { x, labels } = classified(64);
  const data = labelledArrays({ x }, labels, [{ name: 'x', elemType: 'f32', dims: ['N', FEATURES] }]);
  const training = { model: await modelFromBytes(classifier()), data, settings: { batch: 16, rate: 0.01 } };

  test('equal losses are accepted', async () => {
    await compareSteps(training, scaled(1), cpu);
  });

  test('other losses are refused', async () => {
    await expect(compareSteps(training, scaled(1.01), cpu)).rejects.toMatchObject({
      code: 'run-failed',
      what: expect.stringContaining('webgpu'),
    });
  });
});

test.each<[string, number, readonly number[], RegExp]>([
  [
    'a label out of range',
    40,
    Array.from({ length: 40 }, (_, at) => (at === 3 ? 12 : at % CLASSES)),
    /12 of sample 3/,
  ],
  ['a label too few', 40, Array.from({ length: 39 }, (_, at) => at % CLASSES), /39 targets for 40 samples/],
  ['one sample', 1, [0], /1 sample is too few/],
])(
  'a training on %s is refused with the name of the file, as by the command',
  async (_, count, labels, message) => {
    const { x } = classified(count);
    const archive = zipSync({
      'x.npy': npy('<f4', x.dims, raw(x.data)),
      'y.npy': npy('|u1', [labels.length], Uint8Array.from(labels)),
    });
    const given = { name: 'train.npz', blob: new Blob([archive as Uint8Array<ArrayBuffer>]) };
    const makers = await labelledMakers({ kind: 'npz', file: given, labels: 'y', test: null });
    const model = await modelFromBytes(classifier(), 'net.onnx');
    const options = { ...makers, provider: nodeProvider('cpu'), host: host(), epochs: 1, batch: 8 };
    await expect(finetuneModel(model, options)).rejects.toMatchObject({
      where: 'train.npz',
      what: expect.stringMatching(message),
    });
  },
);
