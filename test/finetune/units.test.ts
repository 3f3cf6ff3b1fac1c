import { expect, test } from 'vitest';
import { countUnits } from '../../src/finetune/units.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { filterLayout, filterNumbers } from '../../src/train/filters.js';
import { trainableWeights } from '../../src/train/trainable.js';
import { LINEAR_LAYERS, layerModel } from '../support/linear-layers.js';
import { model, node, value } from '../support/model.js';
import { normals, trainedCopy } from '../support/training.js';

const provider = nodeProvider('cpu');
/** Layers whose outputs have a unit for each filter. */
const LAYERS = LINEAR_LAYERS.filter(({ name }) => !/vector|->bgo|->bok/.test(name));

test.each(LAYERS)('each filter of $name is a unit', async (layer) => {
  const feeds = { x: normals(...layer.x) };
  const { document, index, dims } = await trainedCopy(layerModel(layer, normals(...layer.w).data), feeds);
  const [weight] = trainableWeights(document, index);
  const layout = weight && filterLayout(document.graph, index, weight, dims);
  const numbers = layout === undefined ? [] : [...filterNumbers(layout)];
  // Filters 1 and 3 give 0 for every input.
  const values = normals(...layer.w).data.map((one, at) => ([1, 3].includes(numbers[at] ?? 0) ? 0 : one));
  const trained = await modelFromBytes(layerModel(layer, values, [node('Relu', ['y'], ['r'])], 'r'));
  const counts = await countUnits(trained, ['y'], Object.assign([feeds], { samples: 1 }), { provider });
  expect(counts.get('y')).toEqual({ count: layer.filters, neverPositive: 2 });
});

test('inputs of the model are counted, and values of inner graphs passed over', async () => {
  const net = await modelFromBytes(
    model({
      nodes: [node('Relu', ['x'], ['y'])],
      inputs: [value('x', 1, ['N', 3])],
      outputs: [value('y', 1)],
    }),
  );
  const x = { elemType: 'f32', dims: [2, 3], data: Float32Array.of(1, -1, 0, 1, -2, 3) };
  const counts = await countUnits(net, ['x', 'inside'], [{ x }], { provider });
  expect([...counts]).toEqual([['x', { count: 3, neverPositive: 1 }]]);
});
