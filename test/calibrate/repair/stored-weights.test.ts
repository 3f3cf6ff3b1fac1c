import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { onnx } from '../../../proto/onnx.js';
import { permute, storeAsRead } from '../../../src/calibrate/repair/stored-weights.js';
import { indexGraphs } from '../../../src/onnx/graph-index.js';
import { scan } from '../../../src/onnx/scan.js';
import { splice } from '../../../src/onnx/splice.js';
import { ifNode } from '../../support/bodies.js';
import { cliJson } from '../../support/cli.js';
import { tempFolder } from '../../support/folder.js';
import { floats, type ModelParts, model, node, value } from '../../support/model.js';
import { f32, run } from '../../support/run.js';

const ramp = (count: number) => Array.from({ length: count }, (_, index) => Math.sin(1 + index));

test('permute gives the elements in the order of numpy.transpose', () => {
  const shape = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 });
  const cases = shape.chain((dims) =>
    fc.tuple(fc.constant(dims), fc.shuffledSubarray([...dims.keys()], { minLength: dims.length })),
  );
  fc.assert(
    fc.property(cases, ([dims, axes]) => {
      const count = dims.reduce((product, dim) => product * dim, 1);
      const out = permute(
        Array.from({ length: count }).map((_, index) => index),
        dims,
        axes,
      );
      const sizes = axes.map((axis) => dims[axis] ?? 1);
      out.forEach((from, to) => {
        let [rest, target] = [to, from];
        const at = sizes.toReversed().map((size) => {
          const digit = rest % size;
          rest = (rest - digit) / size;
          return digit;
        });
        const place: number[] = [];
        at.toReversed().forEach((digit, index) => {
          place[axes[index] ?? 0] = digit;
        });
        const source = dims.toReversed().map((size) => {
          const digit = target % size;
          target = (target - digit) / size;
          return digit;
        });
        expect(place).toEqual(source.toReversed());
      });
    }),
    { numRuns: 100, seed: 14 },
  );
});

interface Layer {
  readonly dims: readonly number[];
  readonly x: readonly number[];
  readonly nodes: (weight: string) => onnx.INodeProto[];
}

const LAYERS: Readonly<Record<'MatMul' | 'Gemm' | 'Conv', Layer>> = {
  MatMul: { dims: [4, 3], x: [2, 4], nodes: (w: string) => [node('MatMul', ['x', w], ['y'])] },
  Gemm: { dims: [3, 4], x: [2, 4], nodes: (w: string) => [node('Gemm', ['x', w], ['y'], { transB: 1 })] },
  Conv: { dims: [3, 2, 2, 1], x: [1, 2, 4, 4], nodes: (w: string) => [node('Conv', ['x', w], ['y'])] },
};

test('weights that are read through a Transpose are stored as they are read, and the model gives the same', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('MatMul' as const, 'Gemm' as const, 'Conv' as const),
      fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
      async (op, random) => {
        const { dims, x, nodes } = LAYERS[op];
        const axes = [...dims.keys()].sort(() => (random.next().value ?? 0) - 0.5);
        const stored = dims.map((_, axis) => dims[axes.indexOf(axis)] ?? 1);
        const bytes = model({
          nodes: [node('Transpose', ['t'], ['w'], { perm: axes }), ...nodes('w')],
          inputs: [value('x', 1, [...x])],
          outputs: [value('y', 1)],
          initializers: [floats('t', stored, ramp(stored.reduce((a, b) => a * b, 1)))],
        });
        const document = await scan(bytes);
        const { edits } = await storeAsRead(document, indexGraphs(document), undefined);
        const after = await splice(document.source, edits).bytes();
        expect((await scan(after)).graph.nodes.map(({ opType }) => opType)).toEqual([op]);
        const feed = { x: f32(ramp(x.reduce((a, b) => a * b, 1)), x) };
        expect(await run(after, feed)).toEqual(await run(bytes, feed));
      },
    ),
    { numRuns: 20, seed: 14 },
  );
});

test('a stored tensor that something else reads stays, and a Constant has what the layer reads', async () => {
  const bytes = model({
    nodes: [
      node('Transpose', ['t'], ['w']),
      node('MatMul', ['x', 'w'], ['a']),
      node('MatMul', ['a', 't'], ['y']),
    ],
    inputs: [value('x', 1, [2, 4])],
    outputs: [value('y', 1)],
    initializers: [floats('t', [4, 4], ramp(16))],
  });
  const document = await scan(bytes);
  const { edits, copied } = await storeAsRead(document, indexGraphs(document), undefined);
  expect(copied).toBe(16);
  const after = await splice(document.source, edits).bytes();
  expect((await scan(after)).graph.nodes.map(({ opType }) => opType)).toEqual([
    'Constant',
    'MatMul',
    'MatMul',
  ]);
  const feed = { x: f32(ramp(8), [2, 4]) };
  expect(await run(after, feed)).toEqual(await run(bytes, feed));
});

async function calibrated(parts: ModelParts) {
  const folder = await tempFolder();
  await folder.write('m.onnx', model({ inputs: [value('x', 1, ['N', 4])], ...parts }));
  const args = ['calibrate', 'm.onnx', '--data', 'random', '--samples', '64', '--steps', '3', '-o', 'c.onnx'];
  const { code, json } = await cliJson(args, { cwd: folder.path });
  expect([code, json.error]).toEqual([0, undefined]);
  return json;
}

const net = (second: string): onnx.INodeProto[] => [
  node('MatMul', ['x', 'w1'], ['a']),
  node('Relu', ['a'], ['r']),
  node('MatMul', ['r', second], ['y']),
];
const w1 = floats('w1', [4, 4], ramp(16));

describe('calibrate', () => {
  test('makes gradient steps where initializers are inputs as well', async () => {
    const inputs = [value('x', 1, ['N', 4]), value('w1', 1, [4, 4]), value('w2', 1, [4, 4])];
    const initializers = [w1, floats('w2', [4, 4], ramp(16))];
    const json = await calibrated({ nodes: net('w2'), ir: 3, opset: 9, inputs, initializers });
    expect(json.tuning?.steps).toBe(3);
    expect(json.notes.join()).not.toContain('no gradient steps');
  });

  test('repairs weights behind a Transpose', async () => {
    const json = await calibrated({
      nodes: [node('Transpose', ['t'], ['w2']), ...net('w2')],
      initializers: [w1, floats('t', [4, 4], ramp(16))],
    });
    expect(json.leftAlone).toEqual([]);
    expect(json.layers).toMatchObject([{ output: 'y', op: 'MatMul' }]);
    expect(json.tuning?.steps).toBe(3);
  });

  test('lists weights that something else makes, and repairs shared ones', async () => {
    const json = await calibrated({
      nodes: [
        node('Abs', ['t'], ['w2']),
        ...net('w2').slice(0, 2),
        node('MatMul', ['r', 'w2'], ['b']),
        node('MatMul', ['b', 'w1'], ['y']),
      ],
      initializers: [w1, floats('t', [4, 4], ramp(16))],
    });
    expect(json.leftAlone.map(({ why }: { why: string }) => why)).toEqual([
      "its weights are not constant floats: Abs makes 'w2' of 't'",
    ]);
  });

  test('lists layers in the bodies of functions and of nodes, and repairs what comes after a function with a site', async () => {
    const block: onnx.IFunctionProto = {
      domain: 'loc',
      name: 'Block',
      input: ['v', 'u'],
      output: ['o'],
      node: [node('Relu', ['v'], ['s']), node('MatMul', ['s', 'u'], ['o'], {}, { name: 'inside' })],
      opsetImport: [{ domain: '', version: 18 }],
    };
    const json = await calibrated({
      nodes: [
        node('Block', ['x', 'w1'], ['a'], {}, { domain: 'loc' }),
        node('MatMul', ['a', 'w2'], ['b'], {}, { name: 'after' }),
        node('ReduceSum', ['x'], ['sum'], { keepdims: 0 }),
        node('Cast', ['sum'], ['cond'], { to: 9 }),
        ifNode(
          'y',
          'o',
          [node('MatMul', ['b', 'w3'], ['o'], {}, { name: 'branch' })],
          [node('Identity', ['b'], ['o'])],
        ),
      ],
      initializers: [w1, floats('w2', [4, 4], ramp(16)), floats('w3', [4, 4], ramp(16))],
      functions: [block],
      domains: { loc: 1 },
    });
    expect(json.layers).toMatchObject([{ label: 'after' }]);
    expect(json.leftAlone.map(({ label, why }: { label: string; why: string }) => [label, why])).toEqual(
      expect.arrayContaining([
        ['inside', 'the layer is in a function loc.Block'],
        ['branch', 'the layer is in the body of a node'],
      ]),
    );
  });
});
