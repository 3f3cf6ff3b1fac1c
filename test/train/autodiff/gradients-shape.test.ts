import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRandom, normal } from '../../../src/base/random.js';
import { scan } from '../../../src/onnx/scan.js';
import { elementCount } from '../../../src/providers/tensor.js';
import { GRADIENTS } from '../../../src/train/autodiff/gradients.js';
import { floats, ints, model, node, value } from '../../support/model.js';
import { f32, run } from '../../support/run.js';
import { runTape, storedElements } from '../../support/tape.js';

const long = fc.integer({ min: 600, max: 1200 });
const ends = fc.tuple(fc.integer({ min: -3, max: 4 }), fc.integer({ min: -3, max: 4 }));
/** Operators on the last axis, in most of them a long one: a node, and the integers and the scale that it reads. */
const operators = fc.oneof(
  fc.record({ size: long, step: fc.constantFrom(-3, -2, -1, 2, 3) }).map(({ size, step }) => ({
    ...{ size, opset: 19, scale: 1 },
    of: node('Slice', ['x', 'start', 'end', 'axis', 'step'], ['y']),
    constants: {
      start: [step < 0 ? -1 : 1],
      end: [step < 0 ? -(2 ** 40) : 2 ** 40],
      axis: [2],
      step: [step],
    },
  })),
  fc
    .record({ size: long, ends, mode: fc.constantFrom('reflect', 'edge', 'wrap') })
    .map(({ size, ends: [begin, end], mode }) => ({
      ...{ size, opset: 19, scale: 1 },
      of: node('Pad', ['x', 'pads'], ['y'], { mode }),
      constants: { pads: [0, 0, begin, 0, 0, end] },
    })),
  fc
    .record({
      size: long,
      mode: fc.constantFrom('nearest', 'linear'),
      out: fc.integer({ min: 500, max: 2500 }),
    })
    .map(({ size, mode, out }) => ({
      ...{ size, opset: 19, scale: 1 },
      of: node('Resize', ['x', '', '', 'sizes'], ['y'], { mode }),
      constants: { sizes: [2, 3, out] },
    })),
  fc
    .record({
      size: fc.oneof(long, fc.integer({ min: 4, max: 12 })),
      mode: fc.constantFrom('nearest', 'linear'),
      scale: fc.integer({ min: 2, max: 20 }),
    })
    .map(({ size, mode, scale }) => ({
      ...{ size, opset: 10, scale: scale / 8 },
      of: node('Resize', ['x', 'scales'], ['y'], { mode }),
      constants: {},
    })),
);

test('The gradient of what copies along a long axis is its transpose, and no long axis stores a square matrix', async () => {
  await fc.assert(
    fc.asyncProperty(operators, fc.integer(), async ({ size, opset, scale, of, constants }, seed) => {
      const dims = [2, 3, size];
      const bytes = model({
        opset,
        nodes: [of, node('Shape', ['y'], ['shape'])],
        inputs: [value('x', 1, dims)],
        outputs: [value('y', 1), value('shape', 7)],
        initializers: [
          ...Object.entries(constants).map(([name, numbers]) => ints(name, [numbers.length], numbers)),
          floats('scales', [3], [1, 1, scale]),
        ],
      });
      const random = createRandom(seed);
      const noise = (count: number) => Array.from({ length: count }, () => normal(random));
      const x = noise(elementCount(dims));
      const { y = [], shape = [] } = await run(bytes, { x: f32(x, dims) });
      const g = noise(y.length);
      const { graph } = await scan(bytes);
      const [first] = graph.nodes;
      if (first === undefined) throw new Error('the model has no node');
      let stored = 0;
      const tensors = { x: { dims, data: x }, y: { dims: shape, data: y }, g: { dims: shape, data: g } };
      const { found } = await runTape(
        tensors,
        (given) => {
          const known: Readonly<Record<string, readonly number[]>> = { ...constants, scales: [1, 1, scale] };
          const tape = { ...given, constant: (name: string) => known[name] };
          const result = GRADIENTS[first.opType]?.(tape, first, 'g', ['g'])[0] ?? '';
          stored = storedElements(tape);
          return { found: result };
        },
        opset,
      );
      const inner = (a: readonly number[], b: readonly number[]) =>
        a.reduce((sum, one, at) => sum + one * (b[at] ?? 0), 0);
      expect(found).toHaveLength(x.length);
      expect(Math.abs(inner(found, x) - inner(g, y))).toBeLessThan(1e-3);
      expect(stored).toBeLessThan(40 * (size + (shape[2] ?? 0)) + 12 * 30);
    }),
    { numRuns: 24, seed: 8 },
  );
});
