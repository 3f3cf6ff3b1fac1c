import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { plainNet, UNTRAINED } from '../../models/architectures.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { createTrainer } from '../../src/train/train-model.js';
import { readFashion } from '../support/fashion.js';
import { ops } from '../support/graph.js';
import { bytesOf } from '../support/models.js';

const NETS = Object.entries(UNTRAINED);
/** Activations, layers with weights, and weights that are trained, by the papers' counts. */
const COUNTS: Readonly<Record<string, readonly number[]>> = {
  resnet20: [19, 22, 21 + 2 * 21 + 2], // 20 layers and two projections
  cnn6: [5, 6, 4 + 2 * 4 + 2 * 2],
  cnn4: [3, 4, 3 + 2 * 3 + 2],
  squeezenet: [13, 14, 2 * 14], // two convolutions and three in each of four fire modules
};

const count = (bytes: Uint8Array, ...operators: string[]) =>
  ops(bytes).filter((opType) => operators.includes(opType)).length;

test('the folder has what the script makes', () => {
  expect(readdirSync('models/untrained').sort()).toEqual(NETS.map(([name]) => `${name}.onnx`).sort());
  for (const [name, build] of NETS)
    expect(Buffer.compare(build(), bytesOf(`models/untrained/${name}.onnx`)), name).toBe(0);
});

describe.each(NETS)('%s', (name, build) => {
  const [activations, layers, weights] = COUNTS[name] ?? [];

  test('it has the layers of its paper', () => {
    expect(count(build(), 'Relu')).toBe(activations);
    expect(count(build(), 'Conv', 'Gemm')).toBe(layers);
  });

  test('a step of training moves all of its weights', async () => {
    const { images, labels } = readFashion('train', 32);
    const inputs = { images: { elemType: 'f32', dims: [32, 1, 28, 28], data: images } } as const;
    const provider = nodeProvider('cpu');
    const trainer = await createTrainer(build(), { inputs, targets: labels, batch: 32, provider });
    try {
      expect(trainer.trained).toHaveLength(weights ?? 0);
      const before = trainer.weights();
      for await (const { loss } of trainer) expect(loss).toBeLessThan(10);
      const after = trainer.weights();
      for (const weight of trainer.trained) expect(after.get(weight), weight).not.toEqual(before.get(weight));
    } finally {
      await trainer.close();
    }
  });
});

test('a plain net has as many activations as layers', () => {
  for (const layers of [1, 15, 30]) {
    expect(ops(plainNet({ layers })).filter((opType) => opType === 'Relu')).toHaveLength(layers);
    expect(count(plainNet({ layers }), 'BatchNormalization')).toBe(layers);
    expect(count(plainNet({ layers, norm: false }), 'BatchNormalization')).toBe(0);
  }
});
