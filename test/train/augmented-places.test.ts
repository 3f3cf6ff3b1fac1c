import { expect, test } from 'vitest';
import { AUGMENTATIONS, type Augmentation } from '../../src/data/augment.js';
import { arraySamples } from '../../src/data/samples.js';
import { scoreLayout } from '../../src/metrics/score-layout.js';
import { elementCount } from '../../src/providers/tensor.js';
import { batchReader } from '../../src/train/batches.js';
import { targetRows } from '../../src/train/targets.js';

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
    const reader = batchReader(samples, rows, { batch: COUNT, outputDims, layout: undefined, seed: 3, augment: ['flip'] }); // biome-ignore format: one call
    await reader.read(all, 1);
    return Buffer.compare(Buffer.from(reader.targets.buffer), Buffer.from(data.buffer)) !== 0;
  };
  for (const dims of [[1, 12, 10], [12, 10, 2], [30, 12, 10], [12, 10, 30], [40, 6, 5], [6, 5, 40]]) expect(await read(dims), String(dims)).toBe(true); // biome-ignore format: a list
  for (const dims of [[4], [7, 1, 1], [3, 5]]) expect(await read(dims), String(dims)).toBe(false);
});
