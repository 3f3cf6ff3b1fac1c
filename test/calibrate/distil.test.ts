import { describe, expect, test } from 'vitest';
import { createRandom, normal } from '../../src/base/random.js';
import { type TuneOptions, tune } from '../../src/calibrate/distil.js';
import { linearLayers } from '../../src/calibrate/repair/linear-layers.js';
import { measureRunCosts } from '../../src/calibrate/work/run-costs.js';
import { indexGraphs } from '../../src/onnx/graph-index.js';
import { scan } from '../../src/onnx/scan.js';
import { editableModel } from '../../src/providers/loaded-model.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import type { Tensors } from '../../src/providers/tensor.js';
import { floats, model, node, value } from '../support/model.js';

const random = createRandom(5);
const noise = (count: number, size = 1) => Array.from({ length: count }, () => size * normal(random));
const FIRST = noise(8 * 6, 0.5);
const SECOND = noise(6 * 3, 0.5);

/** Two layers with Mish between, whose weights may be disturbed. */
function net(disturbed: number, opset = 13): Uint8Array {
  const moved = (values: readonly number[]) => values.map((one, index) => one + disturbed * Math.sin(index));
  return model({
    opset,
    nodes: [
      node('Gemm', ['x', 'a'], ['h']),
      node('Softplus', ['h'], ['s']),
      node('Tanh', ['s'], ['t']),
      node('Mul', ['h', 't'], ['m']),
      node('MatMul', ['m', 'b'], ['y']),
    ],
    inputs: [value('x', 1, ['N', 8])],
    outputs: [value('y', 1, ['N', 3])],
    initializers: [floats('a', [8, 6], moved(FIRST)), floats('b', [6, 3], moved(SECOND))],
  });
}

const run = (batch: number): Tensors => {
  return { x: { elemType: 'f32', dims: [batch, 8], data: Float32Array.from(noise(batch * 8)) } };
};
const part = (count: number, batch = 16) => {
  return { runs: count, indices: [], feeds: Array.from({ length: count }, () => run(batch)) };
};

async function options(bytes: Uint8Array, more: Partial<TuneOptions> = {}): Promise<TuneOptions> {
  const original = net(0);
  const document = await scan(bytes);
  const { layers } = linearLayers(document, indexGraphs(document), new Set(['x']));
  const provider = nodeProvider('cpu');
  const teacher = editableModel(await scan(original));
  const { train = part(20) } = more;
  return {
    original: teacher,
    costs: await measureRunCosts(teacher, train.feeds, { provider }),
    repaired: editableModel(document),
    layers,
    train,
    validation: part(4),
    provider,
    steps: 150,
    seed: 1,
    ...more,
  };
}

describe('gradient steps', () => {
  test('restore disturbed weights', async () => {
    const tuned = await tune(await options(net(0.15)));
    expect(tuned?.before).toBeGreaterThan(0.01);
    expect(tuned?.after).toBeLessThan((tuned?.before ?? 0) / 20);
    expect(tuned?.edits).toHaveLength(2);
  });

  test('sum the gradients of single samples to batches', async () => {
    const tuned = await tune(
      await options(net(0.15), { train: part(40, 1), validation: part(20, 1), steps: 60 }),
    );
    expect(tuned?.after).toBeLessThan((tuned?.before ?? 0) / 3);
  });

  test('that do not lower the loss are dropped', async () => {
    const tuned = await tune(await options(net(0), { steps: 12 }));
    expect(tuned).toMatchObject({ before: 0, after: 0, edits: [] });
  });

  test('skip runs of another shape', async () => {
    const mixed = { ...part(1), feeds: [run(16), run(3), run(16), run(1)] };
    const tuned = await tune(await options(net(0.15), { train: mixed, validation: mixed, steps: 24 }));
    expect(tuned?.after).toBeLessThan(tuned?.before ?? 0);
  });

  test('are the same for the same seed', async () => {
    const bytes = net(0.15);
    const same = await options(bytes, { steps: 12 });
    const [first, second] = [await tune(same), await tune(same)];
    expect(first?.edits).toEqual(second?.edits);
    expect((await tune({ ...same, seed: 2 }))?.edits).not.toEqual(first?.edits);
  });

  test('are not made where the opset is too old or no layer is given', async () => {
    expect(await tune(await options(net(0.15, 8)))).toBeUndefined();
    expect(await tune(await options(net(0.15), { layers: [] }))).toBeUndefined();
  });

  test('stop at an abort', async () => {
    const signal = AbortSignal.abort();
    await expect(tune(await options(net(0.15), { signal }))).rejects.toMatchObject({ code: 'aborted' });
  });
});
