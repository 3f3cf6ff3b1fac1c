import type { ExperimentReport } from '../../src/experiment/report-schema.js';

const epoch = (number: number, loss: number, accuracy: number) => ({
  ...{ epoch: number, loss, accuracy, rate: 0.001, seconds: 1.5 },
  test: { loss: loss + 0.1, accuracy: accuracy - 0.02 },
});

const landscape = {
  ...{ span: 1, points: 3, roughness: 0.2, images: 100 },
  losses: [2, 1, 2, 1, 0.4, 1, 2, 1, null],
};

const derivative = {
  ...{ samples: 100, x: [-1, 0, 1], share: [0.3, 0.4, 0.2], below: 0.1, above: 0, derivative: [0, 0.5, 1] },
};

/** A report of two activations and two seeds, one run of which diverged. */
export const EXPERIMENT_REPORT: ExperimentReport = {
  schema: 'onnx-mish/experiment@1',
  created: '2026-11-26T17:00:00Z',
  tool: { name: 'onnx-mish', version: '0.1.0' },
  hosts: [
    {
      ...{ os: 'Linux 6', arch: 'x64', cpu: 'some', cores: 2, memory: 8e9, node: '20.19.0' },
      onnxruntime: '1.30.0',
    },
  ],
  digest: 'ab'.repeat(32),
  shard: null,
  model: 'net.onnx',
  sites: ['/relu1', '/relu2'],
  kept: [{ label: '/clamp', why: 'it clamps' }],
  data: { source: 'npz', train: 900, test: 100, testFrom: 'data', curve: 100, classes: 10 },
  settings: {
    ...{ activations: ['relu', 'mish'], seeds: [0, 1], batchNorm: 'train' },
    ...{ output: 'scores', loss: 'cross-entropy', labelSmoothing: 0, optimizer: 'rmsprop', rate: 0.001 },
    ...{ schedule: 'cosine', warmUp: 0, weightDecay: null, epochs: 2, batch: 32, augment: ['flip'] },
  },
  initial: {
    rule: 'Normal numbers of deviation gain / √fan-in.',
    gains: [
      { activation: 'relu', gain: Math.SQRT2 },
      { activation: 'mish', gain: 1.59 },
    ],
    ...{ weights: 4, kept: [] },
  },
  runs: [0, 1].flatMap((seed) =>
    ['relu', 'mish'].map((activation, index) => {
      const diverged = seed === 1 && activation === 'mish' ? 'the loss of step 12 is NaN' : null;
      return {
        ...{ activation, seed, diverged, seconds: 3 },
        epochs: [epoch(1, 0.4 - 0.02 * seed, 0.9), epoch(2, 0.3 + 0.01 * index, 0.92)],
        test: diverged === null ? { loss: 0.35, accuracy: 0.91 + 0.01 * index } : null,
        units: diverged === null ? { count: 32, neverPositive: 3 - index } : null,
        ...(seed === 0 ? { landscape, derivative } : {}),
      };
    }),
  ),
  missing: [],
  baseline: 'relu',
  results: [
    {
      ...{ activation: 'relu', runs: 2, diverged: 0, difference: null, neverPositive: 3 / 32 },
      accuracy: { mean: 0.91, deviation: 0 },
      loss: { mean: 0.35, deviation: 0 },
      ...{ epochSeconds: 1.5, roughness: 0.2 },
    },
    {
      ...{ activation: 'mish', runs: 1, diverged: 1, neverPositive: 2 / 32 },
      accuracy: { mean: 0.92, deviation: null },
      loss: { mean: 0.35, deviation: null },
      difference: { value: 0.01, low: null, high: null, seeds: 1 },
      ...{ epochSeconds: 1.5, roughness: 0.2 },
    },
  ],
  conclusion: 'One seed is too few to compare the activations.',
  warnings: [],
  remarks: ['Each epoch leaves out 4 of the 900 samples'],
  notes: [],
  seconds: 14,
};
