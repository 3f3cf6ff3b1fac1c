import { expect, test } from 'vitest';
import { leakySharpness } from '../../../src/calibrate/scale/choose-sharpness.js';
import { sampledFeeds } from '../../../src/data/arrays.js';
import { MAX_CURVED_INPUT, type SharpActivation } from '../../../src/metrics/curved-share.js';
import { ACTIVATIONS } from '../../../src/mish/activations.js';
import { calibrate } from '../../../src/node/calibrate-files.js';
import { tensorOf, weightsOf } from '../../support/linear-ops.js';
import { model, node, value } from '../../support/model.js';

/** Signal to noise in dB that the best affine map of f(βx) leaves of LeakyReLU, for normally distributed x. */
function signalOf(name: SharpActivation, slope: number, beta: number): number {
  const { f } = ACTIVATIONS[name];
  let [n, sumA, sumB, aa, bb, ab] = [0, 0, 0, 0, 0, 0];
  for (let x = -6; x <= 6; x += 1 / 64) {
    const weight = Math.exp((-x * x) / 2);
    const [a, b] = [f(beta * x, { beta: 1 }), x < 0 ? slope * x : x];
    n += weight;
    sumA += weight * a;
    sumB += weight * b;
    aa += weight * a * a;
    bb += weight * b * b;
    ab += weight * a * b;
  }
  const covariance = ab / n - (sumA * sumB) / n ** 2;
  const square = covariance ** 2 / ((aa / n - (sumA / n) ** 2) * (bb / n - (sumB / n) ** 2));
  return -10 * Math.log10(1 - square);
}

/** Size below which three quarters of normally distributed inputs are. */
const QUARTILE = 1.1503;
const SLOPES = [0, 0.01, 0.03, 0.06, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4];
const names = Object.keys(MAX_CURVED_INPUT) as SharpActivation[];

test.each(names.flatMap((name) => SLOPES.map((slope) => [name, slope] as const)))(
  'the sharpness of %s for LeakyReLU of slope %d is within 1 dB of the best',
  (name, slope) => {
    const sharpest = MAX_CURVED_INPUT[name] / QUARTILE;
    const tried = Array.from({ length: 60 }, (_, at) => signalOf(name, slope, (sharpest * (at + 1)) / 60));
    const chosen = signalOf(name, slope, sharpest * leakySharpness(slope, name));
    expect(chosen).toBeGreaterThan(Math.max(...tried) - 1);
  },
);

test('a negative slope gets no sharpness', () => {
  for (const name of names)
    expect([-0.1, Number.NaN].map((slope) => leakySharpness(slope, name))).toEqual([0, 0]);
});

const WIDTH = 4;
const COUNT = 1024;
const MEASURED = 512; // samples

test.each([8, 16, 64])(
  'a rate that every run of %d samples gets does not count the samples',
  async (batch) => {
    const bytes = model({
      nodes: [
        node('Gemm', ['x', 'w1', 'b1'], ['h']),
        node('Relu', ['h'], ['a']),
        node('Mul', ['a', 'rate'], ['s']),
        node('Gemm', ['s', 'w2', 'b2'], ['y']),
      ],
      initializers: ['1', '2'].flatMap((layer) => [
        tensorOf(`w${layer}`, [WIDTH, WIDTH], weightsOf([WIDTH, WIDTH], Number(layer))),
        tensorOf(`b${layer}`, [WIDTH], weightsOf([WIDTH], 10 + Number(layer))),
      ]),
      inputs: [value('rate', 1, [1]), value('x', 1, [batch, WIDTH])],
      outputs: [value('y', 1, [batch, WIDTH])],
    });
    const arrays = {
      rate: { elemType: 'f32', dims: [1], data: Float32Array.of(2) },
      x: {
        elemType: 'f32',
        dims: [COUNT, WIDTH],
        data: Float32Array.from(weightsOf([COUNT, WIDTH], 9)),
      },
    };
    let runs: number | undefined;
    await calibrate(bytes, {
      data: (inputs) => sampledFeeds(arrays, inputs, {}),
      steps: 0,
      layers: () => false,
      onProgress: (step, _, of) => {
        if (step === 'measuring what goes into the sites') runs ??= of;
      },
    });
    expect(runs).toBe(MEASURED / batch);
  },
);
