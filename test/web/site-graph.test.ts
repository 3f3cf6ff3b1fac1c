import { expect, test } from 'vitest';
import { findSites } from '../../src/mish/sites.js';
import { scan } from '../../src/onnx/scan.js';
import { toSource } from '../../src/onnx/source.js';
import { siteGraph } from '../../src/web/workbench/engine/site-graph.js';
import { placeGraph, shapeText } from '../../src/web/workbench/page/graph-layout.js';
import { neighbour } from '../../src/web/workbench/page/graph-view.js';
import { classifier } from '../support/classified.js';
import { model, node, value } from '../support/model.js';
import { modelOf, randomGraph } from '../support/random-graph.js';

const SEEDS = 60;

const documentOf = (bytes: Uint8Array) => scan(toSource(bytes));

test('the graph around a site has its operators, tensors, weights and attributes', async () => {
  const { nodes, edges } = await siteGraph(await documentOf(classifier()), 0);
  expect(nodes.map(({ op, name, isSite }) => [op, name, isSite]).sort()).toEqual([
    ['Gemm', 'first', false],
    ['Gemm', 'second', false],
    ['Input', 'x', false],
    ['Output', 'scores', false],
    ['Relu', 'act', true],
  ]);
  const opOf = (id: number) => nodes.find((one) => one.id === id)?.name;
  expect(edges.map(({ from, to, tensor }) => [opOf(from), tensor.name, opOf(to)]).sort()).toEqual([
    ['act', 'a', 'second'],
    ['first', 'h', 'act'],
    ['second', 'scores', 'scores'],
    ['x', 'x', 'first'],
  ]);
  const first = nodes.find(({ name }) => name === 'first');
  expect(first?.weights).toEqual([
    { name: 'w1', elemType: 'f32', dims: [4, 12] },
    { name: 'b1', elemType: 'f32', dims: [12] },
  ]);
  expect(nodes.find(({ op }) => op === 'Input')?.outputs).toEqual([
    { name: 'x', elemType: 'f32', dims: ['N', 4] },
  ]);
});

test('a tensor with many readers shows some of them, and counts the others', async () => {
  const readers = Array.from({ length: 200 }, (_, at) => node('Abs', ['a'], [`y${at}`]));
  const bytes = model({
    nodes: [node('Relu', ['x'], ['a']), ...readers],
    inputs: [value('x', 1, [2])],
    outputs: [value('y0', 1, [2])],
  });
  const { nodes } = await siteGraph(await documentOf(bytes), 0);
  expect(nodes.length).toBeLessThanOrEqual(24);
  const site = nodes.find(({ isSite }) => isSite);
  expect((site?.hidden ?? 0) + nodes.filter(({ op }) => op === 'Abs').length).toBe(200);
});

test('in any model, the graph is connected, has the site, and is drawn without overlaps from top to bottom', async () => {
  let drawn = 0;
  for (let seed = 0; seed < SEEDS; seed++) {
    const document = await documentOf(modelOf(randomGraph(seed, 'webgl'), undefined, { valueInfo: true }));
    const { sites } = await findSites(document);
    for (const index of sites.keys()) {
      const graph = await siteGraph(document, index);
      const { nodes, edges } = graph;
      const site = nodes.find(({ isSite }) => isSite)?.id;
      expect(nodes.map(({ id }) => id)).toEqual([...nodes.keys()]);
      const reached = new Set([site]);
      for (const _ of nodes)
        for (const { from, to } of edges) if (reached.has(from) || reached.has(to)) reached.add(from).add(to);
      expect(reached.size, `seed ${seed}`).toBe(nodes.length);
      const placed = placeGraph(graph);
      for (const [at, a] of placed.nodes.entries()) {
        expect(a.x).toBeGreaterThanOrEqual(0);
        expect(a.x + a.width).toBeLessThanOrEqual(placed.width);
        for (const b of placed.nodes.slice(at + 1)) {
          const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y; // biome-ignore format: one condition
          expect(apart, `seed ${seed}`).toBe(true);
        }
      }
      const top = new Map(placed.nodes.map(({ node: one, y }) => [one.id, y]));
      for (const { from, to, tensor } of edges) {
        expect(top.get(from), `seed ${seed}`).toBeLessThan(top.get(to) ?? 0);
        if (tensor.elemType === 'f32')
          // the model declares their shapes
          expect(tensor.dims, `${tensor.name}, seed ${seed}`).toBeDefined();
      }
      drawn++;
    }
  }
  expect(drawn).toBeGreaterThan(SEEDS / 4);
});

test('arrow keys lead to the next operators, and along a layer', async () => {
  const bytes = model({
    nodes: [node('Relu', ['x'], ['a']), node('Abs', ['a'], ['y']), node('Neg', ['a'], ['z'])],
    inputs: [value('x', 1, [2])],
    outputs: [value('y', 1, [2]), value('z', 1, [2])],
  });
  const graph = await siteGraph(await documentOf(bytes), 0);
  const id = (op: string) => graph.nodes.find((one) => one.op === op)?.id ?? -1;
  expect(neighbour(graph, id('Relu'), 'ArrowUp')).toBe(id('Input'));
  expect(neighbour(graph, id('Relu'), 'ArrowDown')).toBe(id('Abs'));
  expect(neighbour(graph, id('Abs'), 'ArrowRight')).toBe(id('Neg'));
  expect(neighbour(graph, id('Neg'), 'ArrowLeft')).toBe(id('Abs'));
  expect(neighbour(graph, id('Input'), 'ArrowUp')).toBeUndefined();
  expect(neighbour(graph, id('Relu'), 'Enter')).toBeUndefined();
});

test('shapes read as in Netron', () => {
  expect(shapeText({ name: 'x', elemType: 'f32', dims: [1, 'N', null] })).toBe('1 × N × ?');
  expect(shapeText({ name: 'x', elemType: 'f32', dims: [] })).toBe('scalar');
  expect(shapeText({ name: 'x', elemType: 'f32', dims: undefined })).toBe('f32');
  expect(shapeText({ name: 'x', elemType: 'unknown', dims: undefined })).toBe('');
});
