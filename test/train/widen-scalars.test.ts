import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ComposedNode, composeModel } from '../../src/onnx/compose.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { elementCount } from '../../src/providers/tensor.js';
import { withSession } from '../../src/providers/with-session.js';
import { widenScalars } from '../../src/train/widen-scalars.js';
import { isHeavy } from '../support/heavy.js';
import { wave } from '../support/training.js';

const SCALARS: ComposedNode[] = [
  ['Constant', [], ['half'], { value: { dims: [], data: Float32Array.of(0.5) } }],
  ['Constant', [], ['three'], { value: { dims: [1], data: Float32Array.of(3) } }],
  ['Constant', [], ['flat'], { value: { dims: [1], data: BigInt64Array.of(-1n) } }],
];

const step = fc.record({
  op: fc.constantFrom('Add', 'Sub', 'Mul', 'Div', 'Max', 'Sqrt', 'Sigmoid', 'Reshape'),
  other: fc.constantFrom('half', 'three', 'rate', 'x'),
  first: fc.boolean(),
});

test('the results stay bit for bit, and no scalar has a lower rank than a tensor that ends with an axis of 1', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom([4, 3, 1, 1], [5, 1], [2, 3, 2, 1], [2, 3], [1, 1, 1], [6]),
      fc.array(step, { minLength: 1, maxLength: 6 }),
      async (dims, steps) => {
        let last = 'x';
        const nodes: ComposedNode[] = [...SCALARS];
        for (const [at, { op, other, first }] of steps.entries()) {
          const inputs = op === 'Reshape' ? [last, 'flat'] : [last, other];
          const alone = op === 'Sqrt' || op === 'Sigmoid';
          const ordered = first && op !== 'Reshape' ? inputs.toReversed() : inputs;
          nodes.push([op, alone ? [last] : ordered, [`y${at}`]]);
          last = `y${at}`;
          // A flat tensor and x no longer have shapes that fit.
          if (op === 'Reshape') break;
        }
        const shapes: Readonly<Record<string, readonly number[]>> = { x: dims, rate: [] };
        const widened = widenScalars(nodes, (name) => shapes[name]);
        const feeds = {
          x: { elemType: 'f32', dims, data: wave(elementCount(dims), 0.61).map((value) => value + 1.5) },
          rate: { elemType: 'f32', dims: [], data: Float32Array.of(0.1) },
        };
        const run = (all: readonly ComposedNode[]) =>
          withSession(
            composeModel(all, { x: dims.length, rate: 0 }, { [last]: dims.length }),
            { provider: nodeProvider('cpu'), session: { threads: 1 } },
            (session) => session.run(feeds),
          );
        const [before, after] = [await run(nodes), await run(widened)];
        expect(after[last]).toEqual(before[last]);
        if (dims.at(-1) === 1 && elementCount(dims) > 1) {
          const lower = new Set(['half', 'three', 'rate']);
          const operations = widened.filter(([op]) => op !== 'Reshape' && op !== 'Constant');
          const mixed = operations.filter(
            ([, inputs]) => inputs.length === 2 && inputs.some((name) => lower.has(name)),
          );
          expect(mixed).toEqual([]);
        } else {
          expect(widened).toEqual(nodes);
        }
      },
    ),
    { numRuns: isHeavy ? 500 : 40 },
  );
});

test('a tensor of an unknown shape keeps its scalar', () => {
  const nodes: ComposedNode[] = [...SCALARS, ['Mul', ['unknown', 'half'], ['y']]];
  expect(widenScalars(nodes, () => undefined)).toEqual(nodes);
});
