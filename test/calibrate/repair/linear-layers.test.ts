import { expect, test } from 'vitest';
import { linearLayers } from '../../../src/calibrate/repair/linear-layers.js';
import { indexGraphs } from '../../../src/onnx/graph-index.js';
import { modelFromBytes } from '../../../src/providers/loaded-model.js';
import { tensorOf, weightsOf } from '../../support/linear-ops.js';
import { type ModelParts, model, node, value } from '../../support/model.js';

/** Finds the layers that the tensor `a` affects. */
async function layersOf(parts: ModelParts) {
  const { document } = await modelFromBytes(model(parts));
  return linearLayers(document, indexGraphs(document), new Set(['a']));
}

const conv = (x: string, y: string, absent: boolean) =>
  node('Conv', absent ? [x, 'w', ''] : [x, 'w'], [y], {}, { name: y });

/** Ways in which a node gives no first or second output. */
const ABSENT = [
  node('GRU', ['a', 'wr', 'rr'], ['', 'g'], { hidden_size: 2 }),
  node('Dropout', ['a'], ['g', '']),
  node('MaxPool', ['a'], ['g', ''], { kernel_shape: [1] }),
];

test.each(ABSENT)('$opType without an output affects no layer without a bias', async (reader) => {
  const { layers, leftAlone } = await layersOf({
    nodes: [
      node('Relu', ['x'], ['a']),
      ...[reader, node('Identity', ['g'], ['y'])],
      ...[conv('x', 'h', true), conv('h', 'i', false), node('Clip', ['i', '', 'six'], ['j'])],
      node('If', ['yes'], ['k'], {
        then_branch: { graph: { name: 'then', node: [conv('j', 'l', true)], output: [value('l', 1)] } },
        else_branch: { graph: { name: 'else', node: [conv('j', 'm', true)], output: [value('m', 1)] } },
      }),
    ],
    initializers: [
      tensorOf('w', [2, 2, 1], weightsOf([2, 2, 1], 1)),
      tensorOf('wr', [1, 6, 2], weightsOf([1, 6, 2], 2)),
      tensorOf('rr', [1, 6, 2], weightsOf([1, 6, 2], 3)),
      tensorOf('six', [], [6]),
      { name: 'yes', dims: [], dataType: 9, int32Data: [1] },
    ],
    inputs: [value('x', 1, [1, 2, 2])],
    outputs: [value('y', 1), value('k', 1)],
  });
  expect({ layers: layers.map(({ label }) => label), leftAlone }).toEqual({ layers: [], leftAlone: [] });
});

const STEPS = 4000;
const MAX_MS = 2000;

test('a weight that thousands of nodes share is looked at once', async () => {
  const parts: ModelParts = {
    nodes: [
      node('Relu', ['x'], ['a']),
      ...Array.from({ length: STEPS }, (_, at) =>
        node('Gemm', [at ? `h${at}` : 'a', 'w', 'b'], [`h${at + 1}`]),
      ),
    ],
    initializers: [tensorOf('w', [2, 2], weightsOf([2, 2], 1)), tensorOf('b', [2], [1, 2])],
    inputs: [value('x', 1, [1, 2])],
    outputs: [value(`h${STEPS}`, 1)],
  };
  const start = performance.now();
  const { layers } = await layersOf(parts);
  expect(performance.now() - start).toBeLessThan(MAX_MS);
  expect(layers.map(({ others, isRepeated }) => [others?.length, isRepeated])).toEqual([[STEPS - 1, true]]);
});
