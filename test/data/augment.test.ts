import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRandom } from '../../src/base/random.js';
import {
  AUGMENTATIONS,
  changeImage,
  drawChange,
  type ImageChange,
  imageLayout,
} from '../../src/data/augment.js';

const NOTHING: ImageChange = { flip: false, flipVertical: false, right: 0, down: 0, erased: undefined };

/** Changes an image of numbered pixels. */
function changed(dims: readonly number[], change: Partial<ImageChange>): number[] {
  const layout = imageLayout(dims);
  if (layout === undefined) throw new Error('not an image');
  const image = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, at) => at + 1);
  changeImage(image, layout, { ...NOTHING, ...change }, image.slice());
  return [...image];
}

describe('an image', () => {
  test('is mirrored in rows and columns', () => {
    expect(changed([1, 2, 3], { flip: true })).toEqual([3, 2, 1, 6, 5, 4]);
    expect(changed([1, 2, 3], { flipVertical: true })).toEqual([4, 5, 6, 1, 2, 3]);
    expect(changed([2, 1, 3], { flip: true })).toEqual([3, 2, 1, 6, 5, 4]);
  });

  test('is shifted, and filled with zeros', () => {
    expect(changed([1, 2, 4], { right: 0.25 })).toEqual([0, 1, 2, 3, 0, 5, 6, 7]);
    expect(changed([1, 2, 4], { right: -0.5 })).toEqual([3, 4, 0, 0, 7, 8, 0, 0]);
    expect(changed([1, 2, 4], { down: 0.5 })).toEqual([0, 0, 0, 0, 1, 2, 3, 4]);
  });

  test('loses a rectangle', () => {
    const erased = { left: 0.25, top: 0, width: 0.5, height: 0.5 };
    expect(changed([1, 2, 4], { erased })).toEqual([1, 0, 0, 4, 5, 6, 7, 8]);
  });

  test('is changed alike in both layouts', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
        const change = drawChange(AUGMENTATIONS, createRandom(seed));
        const planes = changed([3, 8, 10], change);
        const layout = imageLayout([8, 10, 3]);
        if (layout === undefined) throw new Error('not an image');
        // The same numbers with the channels last.
        const pixels = Float32Array.from({ length: 240 }, (_, at) => (at % 3) * 80 + Math.floor(at / 3) + 1);
        changeImage(pixels, layout, change, pixels.slice());
        expect([...pixels]).toEqual(
          Array.from(pixels, (_, at) => planes[(at % 3) * 80 + Math.floor(at / 3)]),
        );
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  test('stays as it is without changes', () => {
    expect(drawChange([], createRandom(1))).toEqual(NOTHING);
    expect(changed([3, 4, 5], {})).toEqual(Array.from({ length: 60 }, (_, at) => at + 1));
  });
});

test('what is no image has no layout', () => {
  expect([imageLayout([10]), imageLayout([3, 4]), imageLayout([1, 2, 3, 4]), imageLayout([3, 0, 4])]).toEqual(
    Array(4).fill(undefined),
  );
});
