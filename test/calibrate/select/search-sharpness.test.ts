import { describe, expect, test } from 'vitest';
import { createRandom, normal } from '../../../src/base/random.js';
import { mish } from '../../../src/mish/reference.js';
import { swap } from '../../../src/mish/swap.js';
import { calibrate, sharpenSwap } from '../../../src/node/calibrate-files.js';
import { scan } from '../../../src/onnx/scan.js';
import { floats, model, node, value } from '../../support/model.js';

const random = createRandom(9);
const noise = (count: number, size = 1) => Array.from({ length: count }, () => size * normal(random));
const A = noise(8 * 12, 0.6);
const B = noise(12 * 12, 0.5);
const C = noise(12 * 4, 0.5);

/** Two activations; the second follows a layer whose outputs are large, so that its swap hardly matters. */
function net(op: 'Relu' | 'LeakyRelu'): Uint8Array {
  const act = (x: string, y: string) =>
    node(op, [x], [y], op === 'Relu' ? {} : { alpha: { f: 0.2 } }, { name: y });
  return model({
    nodes: [
      node('Gemm', ['x', 'a'], ['p']),
      act('p', 'first'),
      node('Gemm', ['first', 'b'], ['q']),
      act('q', 'second'),
      node('Gemm', ['second', 'c'], ['y']),
    ],
    inputs: [value('x', 1, ['N', 8])],
    outputs: [value('y', 1, ['N', 4])],
    initializers: [
      floats('a', [8, 12], A),
      floats(
        'b',
        [12, 12],
        B.map((one) => 20 * one),
      ),
      floats('c', [12, 4], C),
    ],
  });
}

const feeds = Array.from({ length: 40 }, () => {
  return { x: { elemType: 'f32', dims: [8, 8], data: Float32Array.from(noise(64)) } };
});
const data = () => ({ source: 'npz', feeds }) as const;
const sqnr = (limit: number) => [{ measure: 'sqnr', limit }] as const;

describe('--beta auto', () => {
  // The default follows from the inputs, and auto refines it.
  test('keeps the β of the default if that is within the budget', async () => {
    const { report } = await calibrate(net('Relu'), { data, beta: 'auto', budget: sqnr(3), steps: 0 });
    const { report: plain } = await calibrate(net('Relu'), { data, steps: 0 });
    expect(report.sites.map(({ beta }) => beta)).toEqual(plain.sites.map(({ beta }) => beta));
    expect(report.sites[0]?.beta).toBeGreaterThan(report.sites[1]?.beta ?? Infinity);
    expect(report.sharpness).toMatchObject({ kept: true });
    expect(report.sharpness?.trials).toHaveLength(1);
    expect(report.beta).toBeNull();
  });

  test('raises β as far as necessary, and more at sites with a larger degradation', async () => {
    const { report } = await calibrate(net('Relu'), { data, beta: 'auto', budget: sqnr(45), steps: 0 });
    const [first = 0, second = 0] = report.sites.map(({ beta }) => beta);
    expect(first).toBeGreaterThan(second);
    expect(report.sharpness?.kept).toBe(true);
    expect(report.calibrated.drift[0]?.sqnr).toBeGreaterThan(40);
  });

  test('adds a note if no sharpness is within the budget', async () => {
    const { report } = await calibrate(net('Relu'), { data, beta: 'auto', budget: sqnr(300), steps: 0 });
    expect(report.sharpness?.kept).toBe(false);
    expect(report.notes).toContainEqual(expect.stringContaining('no sharpness'));
  });

  test('keeps β = 1 for a LeakyReLU that becomes Mish, and sharpens a mixture', async () => {
    const options = { data, beta: 'auto', budget: sqnr(40), steps: 0 } as const;
    const plain = await calibrate(net('LeakyRelu'), { ...options, leaky: 'mish' });
    expect(plain.report.sites.map(({ beta }) => beta)).toEqual([1, 1]);
    const mixture = await calibrate(net('LeakyRelu'), { ...options, leaky: 'mixture' });
    expect(Math.max(...mixture.report.sites.map(({ beta }) => beta))).toBeGreaterThan(1);
    expect(mixture.report.sharpness?.kept).toBe(true);
  });

  test('returns, without repair, a plan within the budget, or throws', async () => {
    const bytes = net('Relu');
    const original = { model: bytes, document: await scan(bytes) };
    const steps: number[][] = [];
    const { plan, sharpness } = await sharpenSwap(original, {
      ...{ data, budget: sqnr(30) },
      onProgress: (_, done, of) => steps.push([done, of]),
    });
    expect(steps).toContainEqual([0, 2]);
    expect(steps.filter(([done = 0, of = 0]) => done >= of)).toEqual([]);
    expect(sharpness.kept).toBe(true);
    const { report } = await swap(bytes, { plan });
    expect(report.sites.map(({ beta }) => beta)).toEqual(plan.sites.map(({ beta }) => beta));
    await expect(sharpenSwap(original, { data, budget: sqnr(300) })).rejects.toMatchObject({
      code: 'over-budget',
    });
  });
});

test('where a sharper Mish would lose the slope of all LeakyReLUs, none is tried, and that is said', async () => {
  const why = /exceeded, and no β was tried: .* loses its slope$/;
  const bytes = net('LeakyRelu');
  const steps: string[] = [];
  const search = sharpenSwap(
    { model: bytes, document: await scan(bytes) },
    { data, leaky: 'mish', budget: sqnr(300), onProgress: (step) => steps.push(step) },
  );
  await expect(search).rejects.toMatchObject({ code: 'over-budget', what: expect.stringMatching(why) });
  expect(steps.filter((step) => step.startsWith('trying'))).toEqual(['trying β around 1']);
  const options = { data, beta: 'auto', leaky: 'mish', budget: sqnr(300), steps: 0 } as const;
  const { report } = await calibrate(bytes, options);
  expect(report.sharpness?.trials).toHaveLength(1);
  expect(report.notes).toContainEqual(expect.stringMatching(why));
});

test('two runs with more samples than the default are enough for a search', async () => {
  const bytes = model({
    nodes: [node('Relu', ['x'], ['y'])],
    inputs: [value('x', 1, ['N', 1])],
    outputs: [value('y', 1, ['N', 1])],
  });
  const original = { model: bytes, document: await scan(bytes) };
  const feeds = [1, 2].map((seed) => {
    const drawn = createRandom(seed);
    return {
      x: { elemType: 'f32', dims: [600, 1], data: Float32Array.from({ length: 600 }, () => normal(drawn)) },
    };
  });
  const large = () => ({ source: 'npz', feeds }) as const;
  const { sharpness } = await sharpenSwap(original, { data: large, budget: sqnr(20) });
  expect(sharpness.kept).toBe(true);
  const few = sharpenSwap(original, { data: large, budget: sqnr(20), samples: 512 });
  await expect(few).rejects.toMatchObject({ code: 'bad-data' });
});

test('bends is the share of inputs in Mish’s curved part', async () => {
  // x goes straight into the second site's place by weights of 1, so its inputs are known.
  const bytes = model({
    nodes: [node('Mul', ['x', 'one'], ['h']), node('Relu', ['h'], ['y'], {}, { name: 'act' })],
    inputs: [value('x', 1, ['N', 4])],
    outputs: [value('y', 1, ['N', 4])],
    initializers: [floats('one', [1], [1])],
  });
  const same = { x: { elemType: 'f32', dims: [1, 4], data: Float32Array.of(-9, -1, 1.9, 2.1) } };
  const known = () => ({ source: 'npz', feeds: Array.from({ length: 16 }, () => same) }) as const;
  const { report } = await calibrate(bytes, { data: known, beta: 2, steps: 0 });
  expect(report.sites[0]?.bends).toBe(0.5);
  expect(Math.abs(mish(4) - 4)).toBeLessThan(0.01); // there it has become x
});
