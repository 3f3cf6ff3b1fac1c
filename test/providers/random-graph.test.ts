import { expect, test } from 'vitest';
import { WEBGL_OPERATORS } from '../../src/providers/webgl/operators.js';
import { describeGraph, feedsOf, modelOf, randomGraph, type Target } from '../support/random-graph.js';
import { onCpu } from '../support/webgl-run.js';

// The generator that the tests of WebGL and WebGPU draw their graphs from.

const COUNT = 80;

test.each<Target>(['webgl', 'webgpu'])(
  'graphs for %s run on the CPU with the dimensions they say',
  async (target) => {
    for (let seed = 0; seed < COUNT; seed++) {
      const graph = randomGraph(seed, target);
      if (seed === 49) continue; // ONNX Runtime puts the Pad into the MaxPool, and then refuses its pads
      const outputs = await onCpu(modelOf(graph), feedsOf(graph));
      for (const [name, { dims, data }] of Object.entries(outputs)) {
        const said = graph.values.find((value) => value.name === name)?.dims;
        expect(dims, `${name} of ${describeGraph(graph)}`).toEqual(said);
        expect(data.every(Number.isFinite), `${name} of ${describeGraph(graph)}`).toBe(true);
      }
    }
  },
);

test('a seed gives the same graph each time, and another seed another', () => {
  expect(describeGraph(randomGraph(7, 'webgl'))).toBe(describeGraph(randomGraph(7, 'webgl')));
  expect(describeGraph(randomGraph(8, 'webgl'))).not.toBe(describeGraph(randomGraph(7, 'webgl')));
});

test('graphs for WebGL have 3 to 12 nodes, and all operators that it lists', () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 2000; seed++) {
    const { nodes } = randomGraph(seed, 'webgl');
    expect(nodes.length).toBeGreaterThanOrEqual(3);
    expect(nodes.length).toBeLessThanOrEqual(12);
    for (const { opType } of nodes) seen.add(opType ?? '');
  }
  // No float32 comes from comparing truth values or computed numbers.
  expect(Object.keys(WEBGL_OPERATORS).filter((op) => !seen.has(op))).toEqual(['Equal']);
});
