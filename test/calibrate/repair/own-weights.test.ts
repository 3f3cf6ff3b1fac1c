import { expect, test } from 'vitest';
import type { onnx } from '../../../proto/onnx.js';
import { createRandom, normal } from '../../../src/base/random.js';
import { calibrate } from '../../../src/node/calibrate-files.js';
import type { Tensors } from '../../../src/providers/tensor.js';
import { decode } from '../../support/graph.js';
import { tensorOf, weightsOf } from '../../support/linear-ops.js';
import { ints, type ModelParts, model, node, value } from '../../support/model.js';

const WIDTH = 8;
const weights = (...names: string[]) =>
  names.map((name, place) => tensorOf(name, [WIDTH, WIDTH], weightsOf([WIDTH, WIDTH], place + 1)));
const vectors = (...names: string[]) =>
  names.map((name, place) =>
    tensorOf(
      name,
      [WIDTH],
      weightsOf([WIDTH], place + 20).map((one) => 0.2 + Math.abs(one)),
    ),
  );

interface Net extends ModelParts {
  readonly name: string;
  /** Tensors that something else reads, which have to stay. */
  readonly stays: readonly string[];
}

/** A Relu with layers whose weights something else reads as well. */
const NETS: readonly Net[] = [
  {
    name: 'a table that a Gather reads and a MatMul, through a Transpose',
    nodes: [
      ...[node('Gather', ['w1', 'row'], ['e']), node('Add', ['x', 'e'], ['h']), node('Relu', ['h'], ['r'])],
      ...[node('Transpose', ['w1'], ['t']), node('MatMul', ['r', 't'], ['y'])],
    ],
    initializers: [...weights('w1'), ints('row', [], [2])],
    stays: ['w1'],
  },
  {
    name: 'a table that a Gather reads and a Gemm',
    nodes: [
      ...[node('Gather', ['w1', 'row'], ['e']), node('Add', ['x', 'e'], ['h']), node('Relu', ['h'], ['r'])],
      node('Gemm', ['r', 'w1', 'b1'], ['y'], { transB: 1 }),
    ],
    initializers: [...weights('w1'), ...vectors('b1'), ints('row', [], [2])],
    stays: ['w1'],
  },
  {
    name: 'weights with two biases',
    nodes: [
      ...[node('Relu', ['x'], ['r']), node('Neg', ['x'], ['n']), node('Relu', ['n'], ['q'])],
      ...[node('Gemm', ['r', 'w1', 'b1'], ['a']), node('Gemm', ['q', 'w1', 'b2'], ['b'])],
      node('Concat', ['a', 'b'], ['y'], { axis: 1 }),
    ],
    initializers: [...weights('w1'), ...vectors('b1', 'b2')],
    stays: [],
  },
  {
    name: 'a batch normalisation at two places',
    nodes: [
      ...[node('Relu', ['x'], ['r']), node('Neg', ['x'], ['n']), node('Relu', ['n'], ['q'])],
      node('BatchNormalization', ['r', 's', 'o', 'm', 'v'], ['a']),
      node('BatchNormalization', ['q', 's', 'o', 'm', 'v'], ['b']),
      node('Concat', ['a', 'b'], ['y'], { axis: 1 }),
    ],
    initializers: vectors('s', 'o', 'm', 'v'),
    stays: ['m', 'v'],
  },
];

/** The numbers of a stored tensor. */
function numbersOf({ graph }: onnx.IModelProto, name: string): Uint8Array | null | undefined {
  return graph?.initializer?.find((tensor) => tensor.name === name)?.rawData;
}

test.each(NETS)(
  '$name: the layers are repaired, and the other readers keep theirs',
  async ({ stays, ...parts }) => {
    const bytes = model({
      ...parts,
      inputs: [value('x', 1, ['N', WIDTH])],
      outputs: [value('y', 1, ['N', parts.initializers?.length === 0 ? WIDTH : 'M'])],
    });
    const random = createRandom(5);
    const feeds = Array.from({ length: 96 }, () => {
      const data = Float32Array.from({ length: WIDTH }, () => normal(random));
      return { x: { elemType: 'f32', dims: [1, WIDTH], data } };
    }) satisfies Tensors[];
    const options = { data: () => ({ source: 'npz' as const, feeds }), steps: 0, beta: 1 };
    const { output, report } = await calibrate(bytes, options);
    const { report: uncopied } = await calibrate(bytes, { ...options, copies: false });
    expect(uncopied.notes.join()).not.toContain('stored twice');
    expect(uncopied.leftAlone.length).toBeGreaterThan(0);
    expect([report.leftAlone, report.kept]).toEqual([[], 'calibrated']);
    expect(report.layers.every(({ method }) => method !== 'none')).toBe(true);
    expect(report.notes.join()).toContain('stored twice');
    const [before, after] = [decode(bytes), decode(await output.bytes())];
    for (const name of stays) expect(numbersOf(after, name)).toEqual(numbersOf(before, name));
    expect(report.calibrated.drift[0]?.sqnr).toBeGreaterThan((report.swapped.drift[0]?.sqnr ?? 0) + 3);
  },
);
