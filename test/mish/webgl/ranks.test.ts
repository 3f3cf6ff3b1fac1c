import { expect, test } from 'vitest';
import { webglConstant } from '../../../src/mish/webgl/loaded.js';
import { dimensions } from '../../../src/mish/webgl/ranks.js';
import { analyse } from '../../../src/onnx/analysis.js';
import { scan } from '../../../src/onnx/scan.js';
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
