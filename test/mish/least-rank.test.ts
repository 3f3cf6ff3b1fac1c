import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { swap } from '../../src/mish/swap.js';
import { casesOf } from '../support/heavy.js';
import { floats, ints, model, node, value } from '../support/model.js';
import { load } from '../support/run.js';

// A ReLU or a LeakyReLU written out, with numbers of any rank, of a value whose rank nobody declares. ONNX Runtime tells the rank of
// the result: it may only be swapped where the numbers add no dimensions.

const WEIGHTS = [
  floats('w2', [3, 3], Array(9).fill(0.5)),
  floats('w3', [2, 3, 3], Array(18).fill(0.5)),
  floats('filter', [1, 1, 1, 1], [-1]),
  ints('images', [4], [1, 1, 3, 3]),
  ints('row', [1], [9]),
];

/** Nodes from `x`, a matrix of 3 × 3, to `v`, with the rank of `v`. */
const BEFORE: readonly (readonly [rank: number, nodes: readonly onnx.INodeProto[]])[] = [
  [2, [node('MatMul', ['x', 'w2'], ['v'])]],
  [3, [node('MatMul', ['w3', 'x'], ['v'])]],
  [2, [node('Gemm', ['x', 'w2'], ['g']), node('Transpose', ['g'], ['v'], { perm: [1, 0] })]],
  [1, [node('MatMul', ['x', 'w2'], ['m']), node('Reshape', ['m', 'row'], ['v'])]],
  [4, [node('Reshape', ['x', 'images'], ['i']), node('Conv', ['i', 'filter'], ['v'])]],
  [4, [node('MatMul', ['x', 'w2'], ['m']), node('Add', ['m', 'filter'], ['v'])]],
];
const WRITTEN: readonly (readonly onnx.INodeProto[])[] = [
  [node('Max', ['v', 'zero'], ['y'])],
  [node('Greater', ['v', 'zero'], ['above']), node('Where', ['above', 'v', 'zero'], ['y'])],
  [node('Mul', ['v', 'slope'], ['s']), node('Max', ['s', 'v'], ['y'])],
];

test('numbers of a written activation are part of it only where they add no dimensions', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...BEFORE),
      fc.constantFrom(...WRITTEN),
      fc.nat(5),
      async ([rank, before], written, numbers) => {
        const dims = Array(numbers).fill(1);
        const bytes = model({
          nodes: [...before, ...written],
          inputs: [value('x', 1, [3, 3])],
          outputs: [value('y', 1)],
          initializers: [...WEIGHTS, floats('zero', dims, [0]), floats('slope', dims, [0.1])],
        });
        const { output, report } = await swap(bytes, { only: ['relu', 'leakyrelu', 'prelu'] });
        expect(report.sites).toHaveLength(numbers <= rank ? 1 : 0);
        const rankOf = async (some: Uint8Array) => {
          const session = await load(some);
          const [y] = session.outputMetadata;
          await session.release();
          return y?.isTensor ? y.shape.length : undefined;
        };
        expect(await rankOf(await output.bytes())).toBe(await rankOf(bytes));
      },
    ),
    { seed: 5, numRuns: casesOf(40) },
  );
});
