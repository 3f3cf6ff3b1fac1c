import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { extractEdits, namesInside, neededNodes, pruneEdits } from '../../src/onnx/extract.js';
import { scan } from '../../src/onnx/scan.js';
import { splice } from '../../src/onnx/splice.js';
import { ifNode } from '../support/bodies.js';
import { model, node, value } from '../support/model.js';
import { f32, run } from '../support/run.js';

const nested = ifNode(
  'deep',
  'o',
  [node('Neg', ['seen_by_two'], ['o'])],
  [node('Abs', ['x'], ['o'])],
  'inner',
);
const bytes = model({
  nodes: [
    node('Neg', ['x'], ['a']),
    node('Abs', ['a'], ['b']),
    node('Exp', ['x'], ['seen_inside']),
    node('Neg', ['x'], ['seen_by_two']),
    node('Exp', ['a'], ['read_as_output']),
    ifNode(
      'c',
      'o',
      [node('Add', ['seen_inside', 'seen_inside'], ['p']), nested, node('Add', ['p', 'deep'], ['o'])],
      [node('Identity', ['read_as_output'], ['o'])],
    ),
    node('Add', ['b', 'c'], ['y']),
    node('Neg', ['y'], ['z']),
  ],
  inputs: [value('x', 1, ['N']), value('cond', 9, [])],
  outputs: [value('y', 1, ['N']), value('z', 1, ['N'])],
});
const document = await scan(bytes);
const label = (one: { name: string; outputs: readonly string[] }) => one.outputs.join();
const needed = (...names: string[]) => [...neededNodes(document, names)].map(label).sort();

describe('the nodes that a tensor needs', () => {
  test.each([
    [['b'], ['a', 'b']],
    [['a'], ['a']],
    [
      ['b', 'seen_inside'],
      ['a', 'b', 'seen_inside'],
    ],
    [['c'], ['a', 'c', 'read_as_output', 'seen_by_two', 'seen_inside']],
    [['x'], []],
    [['nowhere'], []],
    [[], []],
  ])('of %j are %j', (names, wanted) => {
    expect(needed(...names)).toEqual(wanted);
  });

  test('include what a graph inside gives without a node of its own', async () => {
    const direct = await scan(
      model({
        nodes: [
          node('Neg', ['x'], ['a']),
          node('If', ['cond'], ['y'], { then_branch: { graph: { name: 't', output: [{ name: 'a' }] } } }),
        ],
      }),
    );
    expect([...neededNodes(direct, ['y'])].map(label).sort()).toEqual(['a', 'y']);
  });
});

test('the names inside of a node are those that its graphs read and give, at any depth', () => {
  const inside = namesInside(document);
  expect([...inside.keys()].map(label)).toEqual(['c']);
  const [names = []] = inside.values();
  expect(new Set(names)).toEqual(
    new Set(['seen_inside', 'p', 'deep', 'o', 'cond', 'seen_by_two', 'x', 'read_as_output']),
  );
});

const decoded = async (edits: ReturnType<typeof pruneEdits>) => {
  const written = await splice(document.source, edits).bytes();
  return { written, graph: onnx.ModelProto.decode(written).graph };
};

describe('the extracted graph', () => {
  test('outputs the requested tensors, once each, and nothing else', async () => {
    const { written, graph } = await decoded(extractEdits(document, ['b', 'c', 'b']));
    expect(graph?.output?.map(({ name }) => name)).toEqual(['b', 'c']);
    expect(graph?.node?.map(({ output }) => output?.join())).toEqual([
      'a',
      'b',
      'seen_inside',
      'seen_by_two',
      'read_as_output',
      'c',
    ]);
    expect(graph?.input?.map(({ name }) => name)).toEqual(['x', 'cond']);
    const feeds = { x: f32([1, -2]), cond: { type: 'bool', dims: [], data: [0] } } as const;
    const { b, c } = await run(written, feeds);
    expect(b).toEqual([1, 2]);
    c?.forEach((one, at) => {
      expect(one).toBeCloseTo(Math.exp(-(feeds.x.data[at] ?? 0)), 5);
    });
  });

  test('without new outputs has none', async () => {
    const { graph } = await decoded(pruneEdits(document, ['a']));
    expect(graph?.output).toEqual([]);
    expect(graph?.node?.map(({ output }) => output?.join())).toEqual(['a']);
  });

  test.each(['nowhere', 'x', 'o', ''])('cannot be %j', (name) => {
    expect(() => extractEdits(document, ['a', name])).toThrow(
      expect.objectContaining({
        code: 'bad-data',
        what: `no node of the main graph outputs '${name}'`,
        where: 'model',
        fix: expect.stringContaining('main graph'),
      }),
    );
  });

  test('cannot be anything of a graph without nodes', async () => {
    const empty = await scan(model({ nodes: [] }));
    expect(() => extractEdits(empty, ['x'])).toThrow(expect.objectContaining({ code: 'bad-data' }));
    expect(extractEdits(empty, [])).toHaveLength(1);
  });
});
