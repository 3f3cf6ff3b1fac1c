import { expect, test } from 'vitest';
import { initialWeights } from '../../src/experiment/initial-weights.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { elementCount, toNumbers } from '../../src/providers/tensor.js';
import { withSession } from '../../src/providers/with-session.js';
import { filterLayout, filterNumbers } from '../../src/train/filters.js';
import { trainableWeights } from '../../src/train/trainable.js';
import { LINEAR_LAYERS, layerModel } from '../support/linear-layers.js';
import { normals, trainedCopy } from '../support/training.js';

test.each(LINEAR_LAYERS)(
  'new weights of $name keep the variance, and each output has its filter',
  async (layer) => {
    const withWeight = (values: ArrayLike<number>) => layerModel(layer, values);
    const feeds = { x: normals(...layer.x) };
    const copy = await trainedCopy(withWeight(new Float32Array(elementCount(layer.w))), feeds);
    const { document, index, dims } = copy;
    const [weight, ...others] = trainableWeights(document, index);
    if (weight === undefined || others.length > 0) throw new Error('the layer has not one weight');
    const values = initialWeights({ gain: 1, seed: 3 })(copy, [weight]).get('w') ?? [];
    const run = async (values: ArrayLike<number>) => {
      const { file } = await modelFromBytes(withWeight(values));
      const { y } = await withSession(file, { provider: nodeProvider('cpu') }, (session) =>
        session.run(feeds),
      );
      return Array.from((y && toNumbers(y)) ?? []);
    };
    const y = await run(values);
    const variance = y.reduce((sum, one) => sum + one ** 2, 0) / y.length;
    expect(variance).toBeGreaterThan(0.8);
    expect(variance).toBeLessThan(1.25);

    const layout = filterLayout(document.graph, index, weight, dims);
    const numbers = layout && filterNumbers(layout);
    expect(new Set(numbers).size).toBe(layer.filters);
    // An output either depends on nothing but the first filter, or not on it.
    const first = await run(Array.from(values, (one, at) => (numbers?.[at] === 0 ? one : 0)));
    const rest = await run(Array.from(values, (one, at) => (numbers?.[at] === 0 ? 0 : one)));
    // One comparison for all: a call of expect for each of 330,000 outputs takes seconds.
    const wrong = y.filter((one, at) => {
      const [ofFirst = 0, ofRest = 0] = [first[at], rest[at]];
      const isOfOne = Math.min(Math.abs(ofFirst), Math.abs(ofRest)) === 0;
      return !isOfOne || !(Math.abs(ofFirst + ofRest - one) < 0.5e-4);
    });
    expect(wrong).toEqual([]);
  },
);
