import { expect, test } from 'vitest';
import { openTrainer, writeModel } from '../../src/node/index.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { createTrainer } from '../../src/train/index.js';
import { tempFolder } from '../support/folder.js';
import { bytesOf } from '../support/models.js';

const images = {
  elemType: 'f32',
  dims: [16, 1, 28, 28],
  data: Float32Array.from({ length: 16 * 784 }, (_, at) => Math.sin(at) ** 2),
};
const options = {
  inputs: { images },
  targets: Array.from({ length: 16 }, (_, at) => at % 10),
  epochs: 2,
  batch: 8,
};

test('a model file with external data is trained to a model that runs without the data’s weights', async () => {
  const folder = await tempFolder();
  const trainer = await openTrainer('models/vgg-leaky.onnx', options);
  const losses: number[] = [];
  for await (const { loss } of trainer) losses.push(loss);
  await writeModel(await trainer.model(), folder.at('trained.onnx'));
  const { losses: before } = await trainer.evaluate(options);
  await trainer.close();
  expect(losses).toHaveLength(2);
  const again = await openTrainer(folder.at('trained.onnx'), options);
  const { losses: after } = await again.evaluate(options);
  for (const [sample, loss] of before.entries()) expect(after[sample]).toBeCloseTo(loss, 4);
  await again.close();
});

test('a path gives the same bytes as the file’s content', async () => {
  const [one, other] = [
    await openTrainer('models/lenet5.onnx', options),
    await createTrainer(bytesOf('models/lenet5.onnx'), { ...options, provider: nodeProvider('cpu') }),
  ];
  const [bytes, same] = [one, other].map(async (trainer) => {
    for await (const _ of trainer);
    const result = await (await trainer.model()).bytes();
    await trainer.close();
    return result;
  });
  expect(Buffer.compare((await bytes) ?? new Uint8Array(), (await same) ?? new Uint8Array())).toBe(0);
  expect(one.epochs).toHaveLength(2);
});

test('an error comes before the trainer, and nothing stays open', async () => {
  await expect(openTrainer('models/none.onnx', options)).rejects.toMatchObject({ code: 'io' });
  await expect(openTrainer('models/lenet5.onnx', { ...options, batch: 17 })).rejects.toMatchObject({
    code: 'bad-data',
  });
});
