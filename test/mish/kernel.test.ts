import { describe, expect, test } from 'vitest';
import type { FormName } from '../../src/mish/forms.js';
import { type Kernel, kernelModel } from '../../src/mish/kernel.js';
import { leakyRelu, mish, mixture, relu } from '../../src/mish/reference.js';
import { decode } from '../support/graph.js';
import { expectClose, held, POINTS } from '../support/mish.js';
import { run } from '../support/run.js';

const KERNELS: [Kernel, (x: number) => number][] = [
  [{ kind: 'relu' }, relu],
  [{ kind: 'leakyrelu', alpha: 0.125 }, (x) => leakyRelu(x, 0.125)],
  ...(['softplus', 'exp', 'native'] as FormName[]).flatMap((form): [Kernel, (x: number) => number][] => [
    [{ kind: 'mish', form, beta: 1 }, mish],
    [{ kind: 'mish', form, beta: 2 }, (x) => mish(x, 2)],
    [{ kind: 'mixture', form, beta: 2, alpha: 0.25 }, (x) => mixture(x, 2, 0.25)],
  ]),
];

describe('a model of one activation', () => {
  test.each(KERNELS)('computes it, for any number of values: %j', async (kernel, wanted) => {
    for (const type of ['f32', 'f16'] as const) {
      const bytes = kernelModel(kernel, type, 18);
      for (const points of [POINTS, POINTS.slice(0, 3)]) {
        const { y } = await run(bytes, { x: { type, dims: [points.length], data: points } });
        expectClose(
          y,
          points.map((x) => wanted(held(x, type))),
          type,
        );
      }
    }
  });

  test.each([
    [7, 4],
    [12, 4],
    [13, 7],
    [17, 7],
    [18, 8],
    [21, 8],
    [22, 10],
  ])('of opset %i has IR version %i', (opset, irVersion) => {
    const {
      irVersion: found,
      opsetImport,
      producerName,
      graph,
    } = decode(kernelModel({ kind: 'relu' }, 'f64', opset));
    expect([found, producerName]).toEqual([irVersion, 'onnx-mish']);
    expect(opsetImport).toMatchObject([{ domain: '', version: opset }]);
    for (const value of [graph?.input?.[0], graph?.output?.[0]])
      expect(value?.type?.tensorType).toMatchObject({ elemType: 11, shape: { dim: [{ dimParam: 'N' }] } });
  });

  test('has each constant once', () => {
    const { graph } = decode(kernelModel({ kind: 'mixture', form: 'exp', beta: 2, alpha: 0.25 }, 'f32', 18));
    const names = graph?.node?.map(({ name }) => name) ?? [];
    expect(new Set(names).size).toBe(names.length);
    expect(graph?.node?.filter(({ opType }) => opType === 'Constant')).toHaveLength(5);
  });
});
