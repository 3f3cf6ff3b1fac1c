import { zipSync } from 'fflate';
import { createRandom, normal } from '../../src/base/random.js';
import type { Dataset } from '../../src/data/dataset.js';
import type { Tensors } from '../../src/providers/tensor.js';
import { floats, model, node } from './model.js';
import { npy, raw } from './numpy.js';

const scalar = (name: string, value: number) => floats(name, [], [value]);

/** A layer that changes nothing, or all by a factor: without one between them, activations would be parts of a single one. */
export const layer = (name: string, factor = 1) =>
  floats(
    name,
    [4, 4],
    Array.from({ length: 16 }, (_, at) => (at % 5 === 0 ? factor : 0)),
  );

/**
 * Three sites from x [N, 4] to y [N, 4] in an order that is known: `safe` sees numbers about 100, where Mish is x to the last
 * bit; `faint` adds a thousandth of its output to y; `harmful` is the rest of y.
 */
export const rankedModel: Uint8Array = model({
  nodes: [
    node('Mul', ['x', 'minus'], ['n']),
    node('Relu', ['n'], ['c'], {}, { name: 'faint' }),
    node('MatMul', ['c', 'little'], ['d']),
    node('Add', ['x', 'far'], ['z']),
    node('Relu', ['z'], ['a'], {}, { name: 'safe' }),
    node('MatMul', ['a', 'same'], ['l']),
    node('Sub', ['l', 'far'], ['b']),
    node('Relu', ['b'], ['e'], {}, { name: 'harmful' }),
    node('Add', ['e', 'd'], ['y']),
  ],
  initializers: [scalar('minus', -1), layer('little', 0.001), layer('same'), scalar('far', 100)],
});

/** Values of `count` samples of 4 numbers. */
export function normals(count: number, seed = 1): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from({ length: 4 * count }, () => normal(random));
}

/** One sample of four numbers a run, as `--data` gives them. */
export function samplesOf(values: Float32Array, labels?: readonly number[]): Dataset {
  const feeds = Array.from({ length: values.length / 4 }, (_, run): Tensors => {
    return { x: { elemType: 'f32', dims: [1, 4], data: values.slice(4 * run, 4 * run + 4) } };
  });
  return { source: 'npz', feeds, samples: feeds.length, ...(labels === undefined ? {} : { labels }) };
}

/** The same as an .npz with the array `x`, and `y` for labels. */
export function samplesFile(values: Float32Array, labels?: readonly number[]): Uint8Array {
  return zipSync({
    'x.npy': npy('<f4', [values.length / 4, 4], raw(values)),
    ...(labels === undefined ? {} : { 'y.npy': npy('<i4', [labels.length], raw(Int32Array.from(labels))) }),
  });
}
