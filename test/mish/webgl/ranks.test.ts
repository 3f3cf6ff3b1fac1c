import { expect, test } from 'vitest';
import { webglConstant } from '../../../src/mish/webgl/loaded.js';
import { dimensions } from '../../../src/mish/webgl/ranks.js';
import { analyse } from '../../../src/onnx/analysis.js';
import { scan } from '../../../src/onnx/scan.js';
import { model, node, value } from '../../support/model.js';
import { modelOf, randomGraph } from '../../support/random-graph.js';

test('the ranks of random graphs’ values are found without value_info, and are right', async () => {
  let [known, all] = [0, 0];
  for (let seed = 0; seed < 200; seed++) {
    const graph = randomGraph(seed, 'webgl');
    const document = await scan(modelOf(graph, graph.outputs, { valueInfo: false }));
    const { index } = analyse(document);
    const dims = dimensions(document.graph, (name) => webglConstant(document.graph, index, name));
    for (const { name, dims: exact } of graph.values) {
      const found = dims(name);
      all++;
      if (found === undefined) continue;
      known++;
      expect(found, `${name} of graph ${seed}`).toHaveLength(exact.length);
    }
  }
  expect(known / all).toBeGreaterThan(0.9);
});

const CLAIMS = [65, 1e6, 2 ** 31, 2 ** 32, 2 ** 40, Number.MAX_SAFE_INTEGER];
/** Operators whose rank comes from the size of their second input. */
const SIZED = ['Reshape', 'Unsqueeze', 'Squeeze', 'ReduceSum'];

test.each(CLAIMS)('a constant that claims %d elements gives no rank, and takes no memory', async (count) => {
  for (const opType of SIZED) {
    const bytes = model({
      nodes: [node(opType, ['x', 'sizes'], ['r'], { keepdims: 0 }), node('Relu', ['r'], ['y'])],
      inputs: [value('x', 1, [2, 3])],
      outputs: [value('y', 1)],
      initializers: [{ name: 'sizes', dataType: 7, dims: [count], rawData: new Uint8Array() }],
      opset: 13,
    });
    const document = await scan(bytes);
    const { index } = analyse(document);
    const dims = dimensions(document.graph, (name) => webglConstant(document.graph, index, name));
    expect(dims('r'), opType).toBeUndefined();
    expect(dims('y'), opType).toBeUndefined();
  }
});
