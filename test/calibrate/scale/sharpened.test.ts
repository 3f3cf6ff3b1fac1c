// The sharpness of each activation that has one: what calibrate folds into weights, what it computes, what it reports.
import { expect, test } from 'vitest';
import { createRandom, normal } from '../../../src/base/random.js';
import type { CalibrateOptions } from '../../../src/calibrate/options.js';
import type { Dataset } from '../../../src/data/dataset.js';
import { MAX_CURVED_INPUT, type SharpActivation } from '../../../src/metrics/curved-share.js';
import { REPLACEMENTS } from '../../../src/mish/activation-kinds.js';
import { undo } from '../../../src/mish/history.js';
import { inspect } from '../../../src/mish/inspect.js';
import { swap } from '../../../src/mish/swap.js';
import { calibrate } from '../../../src/node/calibrate-files.js';
import { renderCalibration, renderHtmlCalibration } from '../../../src/render/index.js';
import { failure, ops } from '../../support/graph.js';
import { tensorOf, weightsOf } from '../../support/linear-ops.js';
import { model, node, value } from '../../support/model.js';
import { run } from '../../support/run.js';

const WIDTH = 8;
const OPSETS = [13, 20];
const random = createRandom(1);
const rows = Array.from({ length: 160 }, () =>
  Float32Array.from({ length: WIDTH }, () => 0.25 * normal(random)),
);
const data = (): Dataset => ({
  source: 'npz',
  feeds: rows.map((row) => ({ x: { elemType: 'f32', dims: [1, WIDTH], data: row } })),
});
const sharp = Object.keys(MAX_CURVED_INPUT) as SharpActivation[];

/** Gemm, Relu over small inputs, and Gemm. With `beta`, a Mul multiplies what goes into the Relu, and a Div divides what comes out. */
function net(opset: number, beta?: number): Uint8Array {
  return model({
    opset,
    nodes: [
      node('Gemm', ['x', 'w1', 'b1'], ['h']),
      ...(beta === undefined
        ? [node('Relu', ['h'], ['a'])]
        : [
            node('Mul', ['h', 'beta'], ['sharp']),
            node('Relu', ['sharp'], ['above']),
            node('Div', ['above', 'beta'], ['a']),
          ]),
      // Channels that are transposed get no scales of their own, so that one β says all.
      ...[node('Transpose', ['a'], ['t']), node('Transpose', ['t'], ['u'])],
      node('Gemm', ['u', 'w2', 'b2'], ['y']),
    ],
    initializers: [
      tensorOf('beta', [], [beta ?? 1]),
      ...[1, 2].flatMap((layer) => [
        tensorOf(`w${layer}`, [WIDTH, WIDTH], weightsOf([WIDTH, WIDTH], layer)),
        tensorOf(`b${layer}`, [WIDTH], weightsOf([WIDTH], layer + 10)),
      ]),
    ],
    inputs: [value('x', 1, ['N', WIDTH])],
    outputs: [value('y', 1, ['N', WIDTH])],
  });
}

async function calibrated(bytes: Uint8Array, options: Partial<CalibrateOptions>) {
  const { output, report } = await calibrate(bytes, { data, steps: 0, ...options });
  return { bytes: await output.bytes(), report };
}

async function outputs(bytes: Uint8Array): Promise<readonly number[]> {
  const x = { type: 'f32', dims: [rows.length, WIDTH], data: rows.flatMap((row) => [...row]) } as const;
  return (await run(bytes, { x })).y ?? [];
}

async function rmse(a: Uint8Array, b: Uint8Array): Promise<number> {
  const [wanted, got] = [await outputs(a), await outputs(b)];
  const squares = wanted.map((one, at) => (one - (got[at] ?? Number.NaN)) ** 2);
  return Math.sqrt(squares.reduce((sum, one) => sum + one, 0) / squares.length);
}

const cases = sharp.flatMap((to) => OPSETS.map((opset) => [to, opset] as const));

test.each(cases)('%s at opset %d computes f(βx) / β, and no node is added', async (to, opset) => {
  const { bytes, report } = await calibrated(net(opset), { to, layers: () => false });
  const [site] = report.sites;
  const beta = site?.beta ?? 1;
  expect(beta).toBeGreaterThan(1.2);
  expect(report).toMatchObject({ to, beta, curved: { share: 0.75, folded: [{ beta }], kept: [] } });
  expect(site?.bends).toBeGreaterThan(0.65);
  expect(site?.bends).toBeLessThan(0.85);
  const reference = await (await swap(net(opset, beta), { to, undo: false })).output.bytes();
  expect(await rmse(reference, bytes)).toBeLessThan(1e-6);
  for (const shown of [renderCalibration(report), await renderHtmlCalibration(report, to)])
    expect(shown).toMatch(new RegExp(`\\|βx\\| (<|&lt;) ${MAX_CURVED_INPUT[to]}\\. Where`));
  const { history } = await inspect(bytes);
  expect(history.map(({ operation, beta: own }) => [operation, own])).toEqual([
    ['swap', to === 'mish' ? 1 : undefined],
    ['fold', beta],
    ...(to === 'mish' ? [['retarget', undefined]] : []), // measured in the exp form
  ]);
  const plain = await (await swap(net(opset), { to, undo: false })).output.bytes();
  expect(ops(bytes)).toEqual(ops(plain));
});

test.each(sharp)('%s of the sharpness of its inputs is repaired better than with β = 1', async (to) => {
  const original = net(13);
  const [own, soft] = [await calibrated(original, { to }), await calibrated(original, { to, beta: 1 })];
  expect(soft.report).toMatchObject({ curved: null, beta: 1 });
  expect(soft.report.sites[0]?.bends).toBeGreaterThan(0.85);
  expect(await rmse(original, own.bytes)).toBeLessThan(0.8 * (await rmse(original, soft.bytes)));
  expect(await failure(undo(own.bytes))).toMatchObject({ code: 'cannot-undo' });
});

test('a smaller share gives a sharper activation', async () => {
  const betas = [];
  for (const curved of [0.9, 0.6, 0.3])
    betas.push((await calibrated(net(13), { to: 'hardswish', curved })).report.beta ?? 0);
  expect(betas).toEqual(betas.toSorted((a, b) => a - b));
  expect(new Set(betas).size).toBe(3);
});

test.each(['elu', 'leakyrelu'] as const)('%s has no sharpness: the default is β = 1', async (to) => {
  const [own, soft] = [await calibrated(net(13), { to }), await calibrated(net(13), { to, beta: 1 })];
  expect(own.bytes).toEqual(soft.bytes);
  expect(own.report).toMatchObject({ curved: null, beta: 1, sites: [{ bends: null }] });
});

test('an activation that is not a ReLU keeps its scale', async () => {
  const mish = await (await swap(net(13), { undo: false })).output.bytes();
  for (const to of ['hardswish', 'gelu', 'swish'] as const) {
    const { report } = await calibrated(mish, { to });
    expect(report).toMatchObject({ beta: 1, curved: { folded: [], kept: [] } });
    expect(report.sites).toHaveLength(1);
  }
});

test('a share of curved inputs is refused where it chooses no sharpness', async () => {
  const without = REPLACEMENTS.filter((to) => !(sharp as readonly string[]).includes(to));
  expect(without.length).toBeGreaterThan(0);
  for (const options of [...without.map((to) => ({ to })), ...sharp.map((to) => ({ to, beta: 1 }))]) {
    const why = 'beta' in options ? 'β is given' : `${options.to} has none`;
    const refused = await failure(calibrated(net(20), { ...options, curved: 0.5 }));
    expect(refused).toMatchObject({
      code: 'bad-usage',
      message: expect.stringContaining(`the share of curved inputs chooses β, and ${why}`),
    });
  }
});
