// A small classifier and samples that it can learn.
import { zipSync } from 'fflate';
import { createRandom, normal } from '../../src/base/random.js';
import { floats, model, node, value } from './model.js';
import { npy, raw } from './numpy.js';

export const FEATURES = 4;
export const CLASSES = 3;
const HIDDEN = 12;

/** Two Gemms with a Relu between them, with random weights. */
export function classifier(extra: Partial<Parameters<typeof model>[0]> = {}): Uint8Array {
  const random = createRandom(11);
  const some = (count: number, scale: number) => Array.from({ length: count }, () => scale * normal(random));
  return model({
    nodes: [
      node('Gemm', ['x', 'w1', 'b1'], ['h'], {}, { name: 'first' }),
      node('Relu', ['h'], ['a'], {}, { name: 'act' }),
      node('Gemm', ['a', 'w2', 'b2'], ['scores'], {}, { name: 'second' }),
    ],
    initializers: [
      floats('w1', [FEATURES, HIDDEN], some(FEATURES * HIDDEN, 0.7)),
      floats('b1', [HIDDEN], some(HIDDEN, 0.1)),
      floats('w2', [HIDDEN, CLASSES], some(HIDDEN * CLASSES, 0.4)),
      floats('b2', [CLASSES], some(CLASSES, 0.1)),
    ],
    inputs: [value('x', 1, ['N', FEATURES])],
    outputs: [value('scores', 1, ['N', CLASSES])],
    ...extra,
  });
}

/** Normal samples, whose class is a rule of two products. */
export function classified(count: number, seed = 5) {
  const random = createRandom(seed);
  const data = Float32Array.from({ length: count * FEATURES }, () => normal(random));
  const labels = Uint8Array.from({ length: count }, (_, row) => {
    const [a = 0, b = 0, c = 0, d = 0] = data.subarray(row * FEATURES, (row + 1) * FEATURES);
    return a * b > 0.2 ? 0 : c + d > 0 ? 1 : 2;
  });
  return { x: { elemType: 'f32', dims: [count, FEATURES], data }, labels };
}

/** Labels by their place among `count`, the first of which are all of one class or all ignored. */
export const UNEVEN_LABELS = {
  'in order of the classes': (at: number, count: number) => Math.floor((at * CLASSES) / count),
  'ignored at first': (at: number, count: number) => (at < count / 2 ? -100 : at % CLASSES),
};

/** The samples as an .npz with the arrays `x` and `y`. */
export function classifiedArchive(count: number, seed?: number): Uint8Array {
  const { x, labels } = classified(count, seed);
  return zipSync({
    'x.npy': npy('<f4', x.dims, raw(x.data)),
    'y.npy': npy('|u1', [count], labels),
  });
}
