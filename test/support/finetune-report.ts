import type { FinetuneReport } from '../../src/finetune/report-schema.js';

const epoch = (number: number, loss: number, accuracy: number) => ({
  ...{ epoch: number, loss, accuracy, rate: 0.001, seconds: 1.5 },
  validation: { loss: loss + 0.1, accuracy: accuracy - 0.02 },
});

/** A report of two seeds with controls. */
export const FINETUNE_REPORT: FinetuneReport = {
  schema: 'onnx-mish/finetune@1',
  created: '2026-11-26T17:00:00Z',
  tool: { name: 'onnx-mish', version: '0.1.0' },
  host: {
    ...{ os: 'Linux 6', arch: 'x64', cpu: 'some', cores: 2, memory: 8e9, node: '20.19.0' },
    onnxruntime: '1.30.0',
  },
  model: 'net.onnx',
  to: 'mish',
  form: 'softplus',
  sites: [
    { label: '/relu1', kind: 'relu', beta: 1 },
    { label: '/relu2', kind: 'relu', beta: 1 },
  ],
  skipped: 1,
  data: { source: 'npz', train: 800, validation: 100, test: 100, testFrom: 'data', classes: 10 },
  settings: {
    ...{ output: 'scores', loss: 'cross-entropy', labelSmoothing: 0, optimizer: 'rmsprop', rate: 0.001 },
    ...{ schedule: 'cosine', warmUp: 0.05, weightDecay: null, epochs: 2, batch: 32, augment: ['flip'] },
    ...{ freeze: [], batchNorm: 'auto', teacher: false, patience: null, seeds: [0, 1] },
  },
  start: {
    original: { loss: 0.4, accuracy: 0.9 },
    plain: { loss: 0.9, accuracy: 0.7 },
    repaired: { loss: 0.5, accuracy: 0.88 },
  },
  runs: (['swapped', 'original'] as const).flatMap((arm, index) =>
    [0, 1].map((seed) => ({
      ...{ arm, seed, before: { loss: 0.5, accuracy: 0.88 }, seconds: 3 },
      epochs: [epoch(1, 0.4 - 0.02 * seed, 0.9), epoch(2, 0.3 + 0.01 * index, 0.92)],
      test: { loss: 0.35, accuracy: 0.91 + 0.01 * index },
      moved: [
        { weight: 'fc.weight', change: 0.2 },
        { weight: 'fc.bias', change: index === 0 ? null : 0.1 },
      ],
    })),
  ),
  units: [
    { site: '/relu1', count: 16, before: 3, swapped: 1, original: 2 },
    { site: '/relu2', count: 16, before: 0, swapped: 0, original: 0 },
  ],
  comparison: {
    measure: 'accuracy',
    runs: [0, 1].map((seed) => ({
      seed,
      difference: { value: -0.01, low: -0.04, high: 0.02 },
      mcnemar: { onlySwapped: 2, onlyOriginal: 3, exact: 1, midP: 0.69 },
    })),
    overall: { value: -0.01, low: -0.04, high: 0.02 },
    verdict: 'no difference',
  },
  latency: { ratio: 3.2, low: 3.1, high: 3.3, exp: { ratio: 1.21, low: 1.1, high: 1.3 } },
  conclusion: 'No difference between Mish and the original’s activations was found.',
  notes: ['the last 8 samples of each epoch do not fill a batch'],
  ...{ seconds: 14, bytesIn: 1000, bytesOut: 1200 },
};
