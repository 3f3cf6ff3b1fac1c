import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRandom, normal } from '../../../src/base/random.js';
import { scan } from '../../../src/onnx/scan.js';
import { elementCount } from '../../../src/providers/tensor.js';
import { GRADIENTS } from '../../../src/train/autodiff/gradients.js';
import { type AttributeValue, model, node, value } from '../../support/model.js';
import { f32, run } from '../../support/run.js';
import { runTape, storedElements } from '../../support/tape.js';

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

const axis = fc.record({
  size: fc.integer({ min: 1, max: 6 }),
  window: fc.oneof(
    fc.record({ kernel: fc.integer({ min: 1, max: 8 }), stride: fc.integer({ min: 1, max: 3 }) }),
    // As exporters write a pooling over all places.
    fc.constant({ kernel: 100_000, stride: 100_000 }),
  ),
  pads: fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 2 })),
});
const averaged = fc.record({
  axes: fc.array(
    axis.map(({ window, ...rest }) => ({ ...window, ...rest })),
    { minLength: 1, maxLength: 2 },
  ),
  ceil_mode: fc.constantFrom(0, 1),
  count_include_pad: fc.constantFrom(0, 1),
  seed: fc.integer(),
});

test('AveragePool’s gradient is its transpose, also with kernels that are larger than the input by far', async () => {
  let large = 0;
  await fc.assert(
    fc.asyncProperty(averaged, async ({ axes, ceil_mode, count_include_pad, seed }) => {
      // No window fits then, and the output has no element by the specification.
      fc.pre(
        ceil_mode === 1 || axes.every(({ size, kernel, pads: [begin, end] }) => kernel <= size + begin + end),
      );
      const inside = axes.map(({ size }) => size);
      const pads = [0, 1].flatMap((side) => axes.map((one) => one.pads[side] ?? 0));
      const attributes = {
        kernel_shape: axes.map(({ kernel }) => kernel),
        strides: axes.map(({ stride }) => stride),
        ...{ pads, ceil_mode, count_include_pad },
      };
      const bytes = model({
        opset: 22,
        ir: 10,
        nodes: [node('AveragePool', ['x'], ['y'], attributes), node('Shape', ['y'], ['shape'])],
        inputs: [value('x', 1, [1, 1, ...inside])],
        outputs: [value('y', 1), value('shape', 7)],
      });
      const random = createRandom(seed);
      const x = Array.from({ length: elementCount(inside) }, () => normal(random));
      const pooled = await run(bytes, { x: f32(x, [1, 1, ...inside]) }).catch(() => undefined);
      // Windows that lie in padding only are refused, or their mean is not a number.
      fc.pre(pooled !== undefined && (pooled.y ?? []).every(Number.isFinite) && (pooled.y ?? []).length > 0);
      const { y = [], shape = [] } = pooled ?? {};
      const { graph } = await scan(bytes);
      const [pool] = graph.nodes;
      if (pool === undefined) throw new Error('the model has no node');
      const g = y.map(() => normal(random));
      const tensors = {
        x: { dims: [1, 1, ...inside], data: x },
        y: { dims: shape, data: y },
        g: { dims: shape, data: g },
      };
      const { found = [] } = await runTape(tensors, (tape) => ({
        found: GRADIENTS.AveragePool?.(tape, pool, 'g', ['g'])[0] ?? '',
      }));
      const inner = (a: readonly number[], b: readonly number[]) =>
        a.reduce((sum, one, at) => sum + one * (b[at] ?? 0), 0);
      expect(inner(found, x)).toBeCloseTo(inner(g, y), 4);
      if (axes.some(({ kernel, size }) => kernel > size + 4)) large++;
    }),
    { numRuns: 80, seed: 5 },
  );
  expect(large).toBeGreaterThan(10);
});

/** Windows of hundreds of taps, as exporters write a pooling over all places, and some that do not cover all. */
const wide = fc.record({
  op: fc.constantFrom('MaxPool', 'AveragePool', 'LpPool', 'GlobalLpPool'),
  inside: fc.constantFrom([300], [18, 20], [7, 6, 9]),
  isWhole: fc.boolean(),
  seed: fc.integer(),
});

test('The gradient of a pooling with many taps is that of small steps, and stores no square of them', async () => {
  await fc.assert(
    fc.asyncProperty(wide, async ({ op, inside, isWhole, seed }) => {
      const dims = [1, 64, ...inside];
      const kernel = inside.map((length) => (isWhole ? length : length - 2));
      const attributes = op === 'GlobalLpPool' ? {} : { kernel_shape: kernel };
      const bytes = model({
        opset: 18,
        nodes: [node(op, ['x'], ['y'], attributes), node('Shape', ['y'], ['shape'])],
        inputs: [value('x', 1, dims)],
        outputs: [value('y', 1), value('shape', 7)],
      });
      const random = createRandom(seed);
      const noise = (count: number) => Array.from({ length: count }, () => normal(random));
      const x = noise(elementCount(dims));
      const pooled = (by: readonly number[], step: number) =>
        run(bytes, {
          x: f32(
            x.map((one, at) => one + step * (by[at] ?? 0)),
            dims,
          ),
        });
      const { y = [], shape = [] } = await pooled([], 0);
      const { graph } = await scan(bytes);
      const [pool] = graph.nodes;
      if (pool === undefined) throw new Error('the model has no node');
      const g = noise(y.length);
      let stored = 0;
      const tensors = { x: { dims, data: x }, y: { dims: shape, data: y }, g: { dims: shape, data: g } };
      const { found } = await runTape(tensors, (tape) => {
        const result = GRADIENTS[op]?.(tape, pool, 'g', ['g'])[0] ?? '';
        stored = storedElements(tape);
        return { found: result };
      });
      const inner = (a: readonly number[], b: readonly number[]) =>
        a.reduce((sum, one, at) => sum + one * (b[at] ?? 0), 0);
      const [direction, step] = [noise(x.length), 1e-3];
      const [{ y: after = [] }, { y: before = [] }] = [
        await pooled(direction, step),
        await pooled(direction, -step),
      ];
      const change = (inner(g, after) - inner(g, before)) / (2 * step);
      expect(Math.abs(inner(found, direction) - change)).toBeLessThan(0.05 * (1 + Math.abs(change)));
      // MaxPool must compare each tap where windows overlap: only there may a kernel have as many elements as taps, squared.
      const isUnfolded = op === 'MaxPool' && !isWhole;
      expect(stored).toBeLessThan(isUnfolded ? 2 ** 23 : 100 * elementCount(inside));
    }),
    { numRuns: 8, seed: 2 },
  );
});
