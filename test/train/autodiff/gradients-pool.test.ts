import { expect, test } from 'vitest';
import { scan } from '../../../src/onnx/scan.js';
import { GRADIENTS } from '../../../src/train/autodiff/gradients.js';
import { type AttributeValue, model, node, value } from '../../support/model.js';
import { runTape } from '../../support/tape.js';

interface Pooled {
  readonly attributes: Record<string, AttributeValue>;
  /** Shapes without the axes of samples and channels. */
  readonly inside: readonly number[];
  readonly outside: readonly number[];
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** Gradient that PyTorch gives x where the gradient of y is 1, 2, 3, ... */
  readonly expected: readonly number[];
}

// x.grad after F.max_pool2d(x, ...).backward(torch.arange(1, n + 1)), PyTorch 2.15.
const CASES: Record<string, Pooled> = {
  'windows that do not overlap': {
    attributes: { kernel_shape: [2, 2], strides: [2, 2] },
    ...{ inside: [4, 4], outside: [2, 2] },
    x: [1, 1, 0, 2, 0, 1, 2, 2, 3, 3, 0, 0, 3, 3, 0, 0],
    y: [1, 2, 3, 0],
    expected: [1, 0, 0, 2, 0, 0, 0, 0, 3, 0, 4, 0, 0, 0, 0, 0],
  },
  'overlapping windows with padding, which equals a maximum of 0': {
    attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
    ...{ inside: [4, 4], outside: [2, 2] },
    x: [0, 0, -1, 2, 0, 0, 2, 2, 1, 1, -1, -1, 1, 1, -1, 0],
    y: [0, 2, 1, 2],
    expected: [1, 0, 0, 2, 0, 0, 4, 0, 3, 0, 0, 0, 0, 0, 0, 0],
  },
  'overlapping windows without padding': {
    attributes: { kernel_shape: [2, 2], strides: [1, 1] },
    ...{ inside: [3, 3], outside: [2, 2] },
    x: [1, 1, 0, 0, 1, 1, 1, 0, 1],
    y: [1, 1, 1, 1],
    expected: [1, 2, 0, 0, 7, 0, 0, 0, 0],
  },
  'windows over one axis': {
    attributes: { kernel_shape: [3], pads: [1, 1] },
    ...{ inside: [6], outside: [6] },
    x: [0, -1, 0, 0, 0, -2],
    y: [0, 0, 0, 0, 0, 0],
    expected: [3, 0, 7, 5, 6, 0],
  },
};

test.each(Object.entries(CASES))('The first of equal maxima gets the gradient: %s', async (_, pooled) => {
  const { attributes, inside, outside, x, y, expected } = pooled;
  const { graph } = await scan(
    model({
      nodes: [node('MaxPool', ['x'], ['y'], attributes)],
      inputs: [value('x', 1, [1, 1, ...inside])],
      outputs: [value('y', 1, [1, 1, ...outside])],
    }),
  );
  const [pool] = graph.nodes;
  if (pool === undefined) throw new Error('the model has no node');
  const tensors = {
    x: { dims: [1, 1, ...inside], data: x },
    y: { dims: [1, 1, ...outside], data: y },
    g: { dims: [1, 1, ...outside], data: y.map((_, at) => at + 1) },
  };
  const { found } = await runTape(tensors, (tape) => ({
    found: GRADIENTS.MaxPool?.(tape, pool, 'g', ['g'])[0] ?? '',
  }));
  expect(found).toEqual(expected);
});
