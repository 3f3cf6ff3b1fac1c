import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Dataset } from '../../../src/data/dataset.js';
import { calibrate, rankSites, sharpenSwap } from '../../../src/node/calibrate-files.js';
import { scan } from '../../../src/onnx/scan.js';
import type { Tensors } from '../../../src/providers/tensor.js';
import { failure } from '../../support/graph.js';
import { tensorOf, weightsOf } from '../../support/linear-ops.js';
import { model, node, value } from '../../support/model.js';

const CLASSES = 3;
const SAMPLES = 40;

const net = model({
  nodes: [node('Relu', ['x'], ['a']), node('Gemm', ['a', 'w'], ['y'])],
  initializers: [tensorOf('w', [CLASSES, CLASSES], weightsOf([CLASSES, CLASSES], 1))],
  inputs: [value('x', 1, ['N', CLASSES])],
  outputs: [value('y', 1, ['N', CLASSES])],
});

const dataOf = (labels: readonly number[]): Dataset => ({
  source: 'npz',
  labels,
  feeds: labels.map((_, at): Tensors => {
    const data = Float32Array.of(Math.sin(at), Math.cos(at), at / SAMPLES);
    return { x: { elemType: 'f32', dims: [1, CLASSES], data } };
  }),
});

test('a label outside the classes is refused wherever it is, also of a sample that the seed does not draw', async () => {
  const scanned = { model: net, document: await scan(net) };
  const given = fc.record({
    at: fc.nat(SAMPLES - 1),
    label: fc.constantFrom(CLASSES, 12, -7),
    seed: fc.nat(9),
  });
  await fc.assert(
    fc.asyncProperty(given, async ({ at, label, seed }) => {
      const data = () =>
        dataOf(Array.from({ length: SAMPLES }, (_, index) => (index === at ? label : index % CLASSES)));
      const options = { data, seed, samples: 16 };
      for (const act of [
        () => calibrate(net, { ...options, steps: 0 }),
        () => rankSites(net, options),
        () => sharpenSwap(scanned, options),
      ])
        expect(await failure(act())).toMatchObject({
          code: 'bad-data',
          what: `label ${label} of sample ${at} is outside the 3 classes (0 to 2)`,
        });
    }),
    { seed: 1, numRuns: 4 },
  );
});
