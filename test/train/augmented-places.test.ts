import { expect, test } from 'vitest';
import { AUGMENTATIONS, type Augmentation } from '../../src/data/augment.js';
import { arraySamples } from '../../src/data/samples.js';
import { scoreLayout } from '../../src/metrics/score-layout.js';
import { indexGraphs } from '../../src/onnx/graph-index.js';
import { scan } from '../../src/onnx/scan.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { elementCount } from '../../src/providers/tensor.js';
import { batchReader } from '../../src/train/batches.js';
import { outputPlaces, readsChannelsLast } from '../../src/train/image-places.js';
import { createTrainer } from '../../src/train/index.js';
import { targetRows } from '../../src/train/targets.js';
import { floats, ints, model, node, value } from '../support/model.js';

const COUNT = 40;

interface Case {
  readonly size: readonly [height: number, width: number];
  readonly classes: number;
  /** Number of pixels of the image along each side of a label's place. */
  readonly scale?: number;
  readonly isLast?: boolean;
  readonly isFlat?: boolean;
}

/** Images whose pixels have the number of their label's class plus 1, and these labels. */
function samplesOf({ size: [height, width], classes, scale = 1, isLast = false, isFlat = false }: Case) {
  const [rows, columns] = [height / scale, width / scale];
  const places = rows * columns;
  const labels = Float32Array.from({ length: COUNT * places }, (_, at) => (at * 7 + Math.floor(at / places)) % classes); // biome-ignore format: a formula
  const x = Float32Array.from({ length: COUNT * height * width }, (_, at) => {
    const [sample, y, column] = [
      Math.floor(at / height / width),
      Math.floor(at / width) % height,
      at % width,
    ];
    const place = Math.floor(y / scale) * columns + Math.floor(column / scale);
    return (labels[sample * places + place] ?? 0) + 1;
  });
  const grid = isFlat ? [places] : [rows, columns];
  const outputDims = isLast ? [...grid, classes] : [classes, ...grid];
  const layout = scoreLayout(outputDims, { axis: isLast ? outputDims.length : 1 });
  const samples = arraySamples({ x: { elemType: 'f32', dims: [COUNT, 1, height, width], data: x } }, [
    { name: 'x', elemType: 'f32', inner: [1, height, width] },
  ]);
  return { samples, outputDims, layout, targets: { elemType: 'f32', dims: [COUNT, ...grid], data: labels } };
}

const all: Uint32Array = Uint32Array.from({ length: COUNT }, (_, at) => at);

const CASES: readonly (readonly [string, Case])[] = [
  ['few classes', { size: [12, 10], classes: 3 }],
  ['more classes than pixels in a row', { size: [12, 10], classes: 17 }],
  ['as many classes as rows', { size: [10, 10], classes: 10 }],
  ['few classes last', { size: [12, 10], classes: 3, isLast: true }],
  ['more classes than rows, last', { size: [12, 10], classes: 17, isLast: true }],
  ['places that are coarser than the pixels', { size: [32, 24], classes: 5, scale: 4 }],
  ['coarser places and more classes than these', { size: [32, 24], classes: 20, scale: 4 }],
  ['places in one axis', { size: [12, 10], classes: 4, isFlat: true }],
  ['places in one axis, classes last', { size: [12, 10], classes: 4, isFlat: true, isLast: true }],
];

test.each(CASES)('labels move with the image: %s', async (_, given) => {
  const { samples, outputDims, layout, targets } = samplesOf(given);
  const rows = targetRows(targets, 'cross-entropy', outputDims, COUNT, { layout });
  const augment: Augmentation[] = ['flip', 'flip-vertical', 'crop'];
  const reader = batchReader(samples, rows, { batch: COUNT, outputDims, layout, seed: 3, augment });
  await reader.read(all, 1);
  const [height, width] = given.size;
  const scale = given.scale ?? 1;
  const [columns, { places, classes, classStride, placeStride }] = [width / scale, layout];
  const image = reader.feeds.x?.data ?? [];
  let moved = 0;
  const wrong: string[] = [];
  for (let sample = 0; sample < COUNT; sample++) {
    for (let at = 0; at < height * width; at++) {
      const place = Math.floor(Math.floor(at / width) / scale) * columns + Math.floor((at % width) / scale);
      const pixel = Number(image[sample * height * width + at]);
      const start = sample * classes * places + place * placeStride;
      const row = Array.from({ length: classes }, (_, label) => reader.targets[start + label * classStride]);
      // 0 fills what the image lacks, and no label counts there.
      if (row.some((target, label) => target !== Number(label + 1 === pixel)))
        wrong.push(`sample ${sample}, pixel ${at}: ${row}`);
      if (pixel === 0) moved++;
    }
  }
  expect(wrong).toEqual([]);
  expect(moved).toBeGreaterThan(0);
});

test('a flip is refused where the labels have places that are not those of the image', () => {
  const { samples } = samplesOf({ size: [12, 10], classes: 3 });
  const outputDims = [11, 5];
  const layout = scoreLayout(outputDims);
  const data = Float32Array.from({ length: COUNT * 5 }, (_, at) => at % 11);
  const rows = targetRows({ elemType: 'f32', dims: [COUNT, 5], data }, 'cross-entropy', outputDims, COUNT, {
    layout,
  });
  const open = (augment: Augmentation[]) =>
    batchReader(samples, rows, { batch: 4, outputDims, layout, seed: 3, augment });
  for (const kind of AUGMENTATIONS)
    if (kind.startsWith('flip')) expect(() => open([kind])).toThrow('cannot move the 5 labels of a sample');
    else expect(elementCount(open([kind]).feeds.x?.dims ?? [])).toBe(4 * 120);
});

test('numbers for each place move with the image, those for a sample stay', async () => {
  const { samples } = samplesOf({ size: [12, 10], classes: 3 });
  const read = async (outputDims: number[]) => {
    const data = Float32Array.from({ length: COUNT * elementCount(outputDims) }, (_, at) => Math.sin(at));
    const rows = targetRows(
      { elemType: 'f32', dims: [COUNT, ...outputDims], data },
      'mse',
      outputDims,
      COUNT,
    );
    const places = { channelsLast: undefined };
    const reader = batchReader(samples, rows, { batch: COUNT, outputDims, layout: undefined, seed: 3, augment: ['flip'], places }); // biome-ignore format: one call
    await reader.read(all, 1);
    return Buffer.compare(Buffer.from(reader.targets.buffer), Buffer.from(data.buffer)) !== 0;
  };
  for (const dims of [[1, 12, 10], [12, 10, 2], [30, 12, 10], [12, 10, 30], [40, 6, 5], [6, 5, 40]]) expect(await read(dims), String(dims)).toBe(true); // biome-ignore format: a list
  for (const dims of [[4], [7, 1, 1], [3, 5]]) expect(await read(dims), String(dims)).toBe(false);
});

interface Net {
  readonly size: readonly [channels: number, height: number, width: number];
  readonly isLast: boolean;
  /** Number of elementwise operators, with a Pad, before the first layer. */
  readonly before: number;
  /** What makes the output: layers that keep the places, or a matrix product that may give anything. */
  readonly end: 'coarse' | 'matrix';
}

/** A net whose output has the shape [2, height / 2, width / 2], or the same with the channels last. */
function netOf({ size: [channels, height, width], isLast, before, end }: Net): Uint8Array {
  const order = (channels: number, ...places: number[]) =>
    isLast ? [...places, channels] : [channels, ...places];
  const outputDims = order(2, height / 2, width / 2);
  const places = (height * width) / 4;
  const first = Array.from({ length: before }, (_, at) =>
    node(at % 2 ? 'Neg' : 'Sigmoid', [`x${at}`], [`x${at + 1}`]),
  );
  const [given, made] = isLast ? ['t', 'u'] : [`x${before}`, 'y'];
  const conv = [node('Conv', [given, 'w'], ['c'], { strides: [2, 2] }), node('Relu', ['c'], ['r'])];
  const matrix = [
    node('Flatten', ['r'], ['f']),
    node('MatMul', ['f', 'm'], ['g']),
    node('Reshape', ['g', 'shape'], ['y']),
  ];
  const ends = end === 'matrix' ? matrix : [node('Conv', ['r', 'k'], [made]), ...(isLast ? [node('Transpose', ['u'], ['y'], { perm: [0, 2, 3, 1] })] : [])]; // biome-ignore format: a list
  const length = 2 * places;
  return model({
    nodes: [
      ...first,
      ...(isLast ? [node('Transpose', [`x${before}`], ['t'], { perm: [0, 3, 1, 2] })] : []),
      ...conv,
      ...ends,
    ],
    initializers: [
      floats(
        'w',
        [3, channels, 2, 2],
        Array.from({ length: 12 * channels }, (_, at) => Math.sin(at)),
      ),
      floats('k', [2, 3, 1, 1], [1, 2, 3, 4, 5, 6]),
      floats(
        'm',
        [3 * places, length],
        Array.from({ length: 3 * places * length }, (_, at) => Math.cos(at)),
      ),
      ints('shape', [4], [0, ...outputDims]),
    ],
    inputs: [value('x0', 1, ['N', ...order(channels, height, width)])],
    outputs: [value('y', 1, ['N', ...outputDims])],
  });
}

const NETS = [1, 3, 12].flatMap((channels) =>
  [false, true].flatMap((isLast) =>
    [0, 3].flatMap((before) =>
      (['coarse', 'matrix'] as const).map((end): Net => ({ size: [channels, 6, 8], isLast, before, end })),
    ),
  ),
);

test.each(NETS)('the layers tell where the channels and the places are: %j', async (net) => {
  const document = await scan(netOf(net));
  const index = indexGraphs(document);
  expect(readsChannelsLast(document, index, 'x0')).toBe(net.isLast);
  const places = net.end === 'coarse' ? { channelsLast: net.isLast } : undefined;
  expect(outputPlaces(document, index, ['x0'], 'y')).toEqual(places);
});

test.each(NETS)('an image is mirrored along its width, with its places: %j', async (net) => {
  const [channels, height, width] = net.size;
  const dims = net.isLast ? [height, width, channels] : [channels, height, width];
  const outputDims = net.isLast ? [height / 2, width / 2, 2] : [2, height / 2, width / 2];
  const inputs = { x0: { elemType: 'f32', dims: [2, ...dims], data: Float32Array.from({ length: 2 * elementCount(dims) }, (_, at) => Math.sin(at)) } }; // biome-ignore format: a tensor
  const targets = { elemType: 'f32', dims: [2, ...outputDims], data: Float32Array.from({ length: 2 * elementCount(outputDims) }, (_, at) => Math.cos(at)) }; // biome-ignore format: a tensor
  const feeds: Float32Array[] = [];
  const cpu = nodeProvider('cpu');
  const provider: typeof cpu = {
    ...cpu,
    async open(file, options) {
      const session = await cpu.open(file, options);
      const run: typeof session.run = (given) => {
        const [image, wanted] = [given.x0?.data, given['onnx-mish/train/targets']?.data];
        if (wanted !== undefined)
          feeds.push((image as Float32Array).slice(), (wanted as Float32Array).slice());
        return session.run(given);
      };
      return { ...session, run, runInto: undefined } as unknown as typeof session;
    },
  };
  const open = async () =>
    createTrainer(await modelFromBytes(netOf(net)), { inputs, targets, loss: 'mse', batch: 2, epochs: 12, augment: ['flip'], provider }); // biome-ignore format: one call
  if (net.end === 'matrix') {
    await expect(open()).rejects.toMatchObject({
      code: 'bad-usage',
      what: `a flip cannot move the targets [${outputDims}] of a sample: they may be places of the image or a matrix, and the layers between them and the image do not tell`,
    });
    return;
  }
  const trainer = await open();
  for await (const _ of trainer);
  await trainer.close();
  /** Returns which of the samples, mirrored or not, each sample of an array is. */
  const changesOf = (got: Float32Array, from: Float32Array, [a = 1, b = 1, c = 1]: readonly number[]) => {
    const length = a * b * c;
    const at = (sample: number, place: number, isMirrored: boolean) => {
      const [x, y, z] = [Math.floor(place / b / c), Math.floor(place / c) % b, place % c];
      const [p, q] = isMirrored ? (net.isLast ? [b - 1 - y, z] : [y, c - 1 - z]) : [y, z];
      return from[sample * length + (x * b + p) * c + q];
    };
    return [0, 1].map((row) =>
      [0, 1].flatMap((sample) =>
        [false, true]
          .filter((isMirrored) =>
            Array.from({ length }, (_, place) => at(sample, place, isMirrored)).every(
              (one, place) => one === got[row * length + place],
            ),
          )
          .map((isMirrored) => `${sample} ${isMirrored}`),
      ),
    );
  };
  const changes = new Set<string>();
  for (let step = 0; step < feeds.length; step += 2) {
    const [image, wanted] = [feeds[step], feeds[step + 1]] as [Float32Array, Float32Array];
    const changed = changesOf(image, inputs.x0.data, dims);
    expect(changed).toEqual(changesOf(wanted, targets.data, outputDims));
    for (const one of changed.flat()) changes.add(one);
  }
  expect([...changes].sort()).toEqual(['0 false', '0 true', '1 false', '1 true']);
});
