import { expect, test } from 'vitest';
import { createRandom, normal } from '../../src/base/random.js';
import type { CalibrateOptions } from '../../src/calibrate/options.js';
import { seededFeeds } from '../../src/data/dataset.js';
import { calibrate } from '../../src/node/calibrate-files.js';
import { floats, ints, model, node, value } from '../support/model.js';

// Before IR 4 every initializer is an input of the graph as well, one that no node reads too.

const random = createRandom(3);
const some = (name: string, dims: readonly number[]) => {
  const length = dims.reduce((product, dim) => product * dim, 1);
  return floats(
    name,
    dims,
    Array.from({ length }, () => 0.4 * normal(random)),
  );
};
const initializers = [
  some('w1', [4, 3, 3, 3]),
  some('b1', [4]),
  some('w2', [4, 4, 3, 3]),
  some('b2', [4]),
  some('w3', [5, 4]),
  some('b3', [5]),
  some('unused', [7]),
  ints('shape', [2], [-1, 4]),
];

test('a model of IR 3 is repaired by least squares and gradient steps, with an initializer that no node reads', async () => {
  const bytes = model({
    ...{ ir: 3, opset: 9, initializers },
    nodes: [
      node('Conv', ['x', 'w1', 'b1'], ['a'], { pads: [1, 1, 1, 1] }),
      node('Relu', ['a'], ['r1']),
      node('Conv', ['r1', 'w2', 'b2'], ['c'], { pads: [1, 1, 1, 1] }),
      node('Relu', ['c'], ['r2']),
      node('GlobalAveragePool', ['r2'], ['g']),
      node('Reshape', ['g', 'shape'], ['f']),
      node('Gemm', ['f', 'w3', 'b3'], ['y'], { transB: 1 }),
    ],
    inputs: [
      value('x', 1, ['N', 3, 8, 8]),
      ...initializers.map(({ name, dataType, dims }) =>
        value(name ?? '', dataType ?? 1, dims?.map(Number) ?? []),
      ),
    ],
    outputs: [value('y', 1, ['N', 5])],
  });
  const repaired = async (more: Partial<CalibrateOptions>) => {
    const data: CalibrateOptions['data'] = (inputs) =>
      seededFeeds(
        inputs.filter(({ name }) => name === 'x'),
        { seed: 1, count: 8, dims: { N: 16 } },
      );
    const { report } = await calibrate(bytes, { data, ...more });
    expect(report.notes).toEqual([]);
    expect(report.kept).toBe('calibrated');
    expect(report.calibrated.drift[0]?.rmse ?? Infinity).toBeLessThan(report.swapped.drift[0]?.rmse ?? 0);
    return report;
  };
  const { layers } = await repaired({ steps: 0 });
  expect(layers.map(({ method }) => method)).toContain('least-squares');
  // A corrected bias leaves the steps something to do.
  const { tuning } = await repaired({ methods: ['bias'], steps: 60 });
  expect(tuning?.steps).toBe(60);
  expect(tuning?.after).toBeLessThan(tuning?.before ?? 0);
});
