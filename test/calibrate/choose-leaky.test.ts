import { describe, expect, test } from 'vitest';
import { createRandom, normal } from '../../src/base/random.js';
import { chooseLeaky } from '../../src/calibrate/choose-leaky.js';
import type { CalibrateOptions } from '../../src/calibrate/options.js';
import type { CompareCandidate } from '../../src/calibrate/select/compare-with-original.js';
import { driftMeter } from '../../src/metrics/drift.js';
import { calibrate } from '../../src/node/calibrate-files.js';
import { renderCalibration } from '../../src/render/index.js';
import { failure } from '../support/graph.js';
import { tensorOf } from '../support/linear-ops.js';
import { model, node, value } from '../support/model.js';

const random = createRandom(4);
const noise = (count: number, size: number) => Array.from({ length: count }, () => size * normal(random));
const WIDTH = 6;
const DEEP = 4;

/** Dense layers with LeakyRelu between them; `spread` is the size of what goes into the activations. */
function net(spread: number, alpha = 0.3): Uint8Array {
  const layers = Array.from({ length: DEEP }, (_, at) => [
    node('Gemm', [at === 0 ? 'x' : `a${at - 1}`, `w${at}`], [`h${at}`]),
    node('LeakyRelu', [`h${at}`], [`a${at}`], { alpha: { f: alpha } }),
  ]).flat();
  const size = (at: number) => (at === 0 ? spread : 1) * 0.6;
  return model({
    nodes: [
      ...layers,
      node('Gemm', [`a${DEEP - 1}`, 'v'], ['y']),
      // A map: its rows are no samples.
      node('Transpose', ['y'], ['map']),
    ],
    initializers: [
      ...Array.from({ length: DEEP }, (_, at) =>
        tensorOf(`w${at}`, [WIDTH, WIDTH], noise(WIDTH ** 2, size(at))),
      ),
      tensorOf('v', [WIDTH, 3], noise(WIDTH * 3, 1)),
    ],
    inputs: [value('x', 1, ['N', WIDTH])],
    outputs: [value('y', 1, ['N', 3]), value('map', 1, [3, 'N'])],
  });
}

const feeds = Array.from({ length: 30 }, () => {
  return { x: { elemType: 'f32', dims: [16, WIDTH], data: Float32Array.from(noise(16 * WIDTH, 1)) } };
});
const calibrated = async (bytes: Uint8Array, options: Partial<CalibrateOptions> = {}) =>
  (await calibrate(bytes, { data: () => ({ source: 'npz', feeds }), steps: 0, outputs: ['y'], ...options }))
    .report;

describe('LeakyRelu', () => {
  test('becomes a mixture where Mish cannot be repaired, and the first line says so', async () => {
    const report = await calibrated(net(100, 0.9));
    expect(report.leaky).toMatchObject({ sites: DEEP, measure: 'agreement' });
    expect(report.leaky?.mish).toBeLessThan(0.95);
    expect(report.leaky?.mixture).toBeGreaterThan(report.leaky?.mish ?? 1);
    expect(report.sites.map(({ leak }) => leak)).toEqual(Array(DEEP).fill(Math.fround(0.9)));
    expect(report.calibrated.drift[0]?.top1).toBeGreaterThan(0.95);
    const [first = ''] = renderCalibration(report).split('\n');
    expect(first).toMatch(
      /^4 sites → mixtures of x and Mish .* MIXTURES at 4 LeakyRelu: .*The choice mish for LeakyRelu writes Mish all the same\.$/,
    );
  });

  test('becomes a mixture where Mish agrees on too few samples to keep the accuracy', async () => {
    const report = await calibrated(net(4, 0.3));
    expect(report.leaky?.measure).toBe('agreement');
    expect(report.leaky?.mish).toBeGreaterThan(0.9);
    expect(report.leaky?.mish).toBeLessThan(0.99);
    expect(report.leaky?.mixture).toBeGreaterThan(report.leaky?.mish ?? 1);
  });

  test('becomes a mixture where no class depends on it, if Mish is far from 30 dB and the mixture 3 dB nearer', async () => {
    const report = await calibrated(net(4, 0.3), { outputs: ['map'] });
    const { mish, mixture } = report.leaky ?? { mish: null, mixture: null };
    expect(report.leaky?.measure).toBe('sqnr');
    expect(mish).toBeLessThan(30);
    expect(mixture).toBeGreaterThan((mish ?? Number.POSITIVE_INFINITY) + 3);
  });

  test('is solved once for each kind of replacement, before gradient steps and with them', async () => {
    const solved: string[] = [];
    const onProgress = (step: string) => {
      if (step.startsWith('solving ') && step !== solved.at(-1)) solved.push(step);
    };
    const report = await calibrated(net(100, 0.9), { steps: 2, onProgress });
    expect([report.leaky?.sites, report.tuning?.steps]).toEqual([DEEP, 2]);
    const once = report.layers.map(({ label }) => `solving ${label}`);
    expect(solved).toEqual([...once, ...once]);
  });

  test('stays Mish where that was asked for, and where the repair succeeds', async () => {
    const asked = await calibrated(net(100, 0.9), { leaky: 'mish' });
    expect([asked.leaky, asked.sites[0]?.leak]).toEqual([null, undefined]);
    const narrow = await calibrated(net(3, 0.01));
    expect([narrow.leaky, narrow.sites[0]?.leak]).toEqual([null, undefined]);
  });
});

test.each([
  { rows: 64, mish: [63, 24], mixture: [62, 40], taken: true },
  { rows: 64, mish: [63, 24], mixture: [62, 26], taken: false },
  { rows: 1000, mish: [984, 24], mixture: [969, 40], taken: false },
  { rows: 1000, mish: [984, 24], mixture: [980, 40], taken: true },
])('the nearer kind is taken unless it agrees on fewer samples beyond chance: %j', async (one) => {
  const shares = new Map<object, readonly number[]>();
  const prepare = async ({ leaky }: Pick<CalibrateOptions, 'leaky'>) => ({
    plan: {},
    swap: { sites: [{ kind: 'leakyrelu', alpha: 0.3, ...(leaky === 'mixture' ? { leak: 0.3 } : {}) }] },
    async tryOut() {
      const repaired = {};
      shares.set(repaired, leaky === 'mixture' ? one.mixture : one.mish);
      return { repaired };
    },
  });
  const compare: CompareCandidate = async (candidate) => {
    const [right = 0, sqnr = 0] = shares.get(candidate) ?? [];
    const drift = { ...driftMeter('y').result(), top1: right / one.rows, maxAbs: 1, sqnr };
    return { drift: [drift], accuracy: null, difference: null, original: null };
  };
  const { leaky } = await chooseLeaky(
    prepare as unknown as Parameters<typeof chooseLeaky>[0],
    compare,
    { feeds: [], runs: 0, indices: [] },
    one.rows,
    {},
  );
  expect(leaky !== null).toBe(one.taken);
});

describe('outputs', () => {
  test('only the named ones count, and only those with a row for each sample have an agreement', async () => {
    const one = await calibrated(net(1, 0.01));
    expect(one.calibrated.drift.map(({ output }) => output)).toEqual(['y']);
    const both = await calibrated(net(1, 0.01), { outputs: undefined });
    const agreements = both.calibrated.drift.map(({ output, top1 }) => [output, top1 === null]);
    expect(agreements).toEqual([
      ['y', false],
      ['map', true],
    ]);
  });

  test('an unknown name is an error', async () => {
    expect(await failure(calibrated(net(1), { outputs: ['z'] }))).toMatchObject({
      ...{ code: 'bad-usage', what: "the model has no output 'z'", fix: 'Choose from y, map' },
    });
  });
});
