import { expect, test } from 'vitest';
import { composeModel } from '../../src/onnx/compose.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { createTape } from '../../src/train/autodiff/tape.js';
import { squaredDifferences } from '../../src/train/losses.js';

test('loss terms are factor × mean squared difference, added up', async () => {
  const shapes: Record<string, number[]> = { a: [2, 2], b: [3] };
  const tape = createTape(13, (name) => shapes[name] ?? [], 't/');
  const terms = [
    { name: 'a', factor: 0.5 },
    { name: 'b', factor: 3 },
  ];
  const { loss, gradients } = squaredDifferences(tape, terms, (name) => `${name}/target`);
  const outputs = { [loss]: 1, ...Object.fromEntries(gradients.map(([, gradient]) => [gradient, 1])) };
  const inputs = { a: 2, b: 1, 'a/target': 2, 'b/target': 1 };
  const session = await nodeProvider('cpu').open(composeModel(tape.nodes, inputs, outputs));
  const f32 = (dims: number[], data: number[]) => ({ elemType: 'f32', dims, data: Float32Array.from(data) });
  const result = await session.run({
    ...{ a: f32([2, 2], [1, 2, 3, 4]), 'a/target': f32([2, 2], [1, 2, 3, 8]) },
    ...{ b: f32([3], [0, 0, 3]), 'b/target': f32([3], [0, 3, 0]) },
  });
  await session.close();
  expect(result[loss]?.data[0]).toBe(0.5 * 4 + 3 * 6);
  expect(gradients.map(([name, gradient]) => [name, [...(result[gradient]?.data ?? [])]])).toEqual([
    ['a', [0, 0, 0, -1]],
    ['b', [0, -6, 6]],
  ]);
});
