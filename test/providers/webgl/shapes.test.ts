import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { scan } from '../../../src/onnx/scan.js';
import type { Shapes } from '../../../src/providers/provider.js';
import { withShapes } from '../../../src/providers/webgl/shapes.js';
import { floats, model, node, value } from '../../support/model.js';
import { bytesOf, REAL_MODELS } from '../../support/models.js';
import { f32, load, run } from '../../support/run.js';

// An older schema, built by others.
const { onnx: old } = createRequire(import.meta.url)('onnx-proto') as {
  onnx: { ModelProto: { decode(bytes: Uint8Array): OldModel } };
};
interface OldModel {
  graph: {
    input: OldValue[];
    output: OldValue[];
    node: object[];
    valueInfo: object[];
    initializer: { name: string; rawData: Uint8Array }[];
  };
}
interface OldValue {
  name: string;
  type: { tensorType: { elemType: number; shape: { dim: { dimValue: number | { toNumber(): number } }[] } } };
}

const shaped = async (bytes: Uint8Array, shapes: Shapes) => withShapes(await scan(bytes), shapes).bytes();

/** Inputs or outputs as the other reader sees them: `name: type [dims]`. */
const describeValues = (values: readonly OldValue[]) =>
  values.map(({ name, type: { tensorType } }) => {
    const dims = tensorType.shape.dim.map(({ dimValue: size }) =>
      typeof size === 'number' ? size : size.toNumber(),
    );
    return `${name}: ${tensorType.elemType} [${dims.join()}]`;
  });

describe('withShapes', () => {
  const source = model({
    nodes: [
      node('Mul', ['x', 'w'], ['y']),
      node('Shape', ['y'], ['n']),
      node('ReduceSum', ['y'], ['s'], { keepdims: 0 }),
    ],
    inputs: [value('x', 1, ['N', 2]), value('w', 1, [2])],
    outputs: [value('y', 1), { name: 'n' }, { name: 's' }],
    initializers: [floats('w', [2], [3, 4])],
  });
  const shapes = { inputs: { x: [5, 2], w: [7] }, outputs: { y: [5, 2], n: [2], s: [] } };

  test('writes dimensions and the types that were missing', async () => {
    const { graph } = old.ModelProto.decode(await shaped(source, shapes));
    expect(describeValues(graph.input)).toEqual(['x: 1 [5,2]', 'w: 1 [2]']);
    expect(describeValues(graph.output)).toEqual(['y: 1 [5,2]', 'n: 7 [2]', 's: 1 []']);
  });

  test('gives a model that runs', async () => {
    const bytes = await shaped(source, { inputs: { x: [1, 2] }, outputs: { y: [1, 2], n: [2], s: [] } });
    expect(await run(bytes, { x: f32([1, 2], [1, 2]) })).toEqual({ y: [3, 8], n: [1, 2], s: [11] });
    const session = await load(bytes);
    expect(session.inputMetadata[0]).toMatchObject({ shape: [1, 2] });
    await session.release();
  });

  test('leaves alone what it is not told', async () => {
    expect(await shaped(source, { inputs: {}, outputs: {} })).toEqual(source);
    expect(await shaped(source, { inputs: { constructor: [1] }, outputs: { toString: [1] } })).toEqual(
      source,
    );
  });
});

describe('of a real model', () => {
  test.each(Object.entries(REAL_MODELS))('%s: nothing else is changed', async (_, path) => {
    const bytes = bytesOf(path);
    const { graph } = await scan(bytes);
    const numbers = (values: readonly { name: string; dims?: readonly unknown[] | undefined }[]) =>
      Object.fromEntries(
        values.map(({ name, dims = [] }) => [name, dims.map((dim) => (typeof dim === 'number' ? dim : 3))]),
      );
    const shapes = { inputs: numbers(graph.inputs), outputs: numbers(graph.outputs) };
    const [before, after] = [
      old.ModelProto.decode(bytes),
      old.ModelProto.decode(await shaped(bytes, shapes)),
    ];
    for (const kind of ['input', 'output'] as const) {
      const texts = describeValues(after.graph[kind]);
      const own = graph[`${kind}s`].filter(({ name }) => !graph.initializers.has(name));
      for (const { name, elemType } of own)
        expect(texts).toContain(`${name}: ${elemType} [${shapes[`${kind}s`][name]?.join()}]`);
    }
    // As text, which is compared a hundred times faster.
    expect(JSON.stringify(after.graph.node)).toBe(JSON.stringify(before.graph.node));
    expect(after.graph.initializer.length).toBe(before.graph.initializer.length);
    expect(JSON.stringify(after.graph.valueInfo)).toBe(JSON.stringify(before.graph.valueInfo));
  });
});
