import { expect, test } from 'vitest';
import { movedWeights } from '../../src/finetune/arm.js';
import { indexGraphs } from '../../src/onnx/graph-index.js';
import { readWeight, weightOf } from '../../src/onnx/weights.js';
import { type EditableModel, modelFromBytes } from '../../src/providers/loaded-model.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { createTrainer } from '../../src/train/train-model.js';
import { floats, halves, model, node, value } from '../support/model.js';
import { wave } from '../support/training.js';

const net = (constants: typeof floats, elemType: number) =>
  model({
    nodes: [
      node('Conv', ['x', 'w', 'b'], ['c'], { pads: [1, 1, 1, 1] }),
      node('Relu', ['c'], ['r']),
      node('GlobalAveragePool', ['r'], ['g']),
      node('Conv', ['g', 'v'], ['s']),
      node('Flatten', ['s'], ['y']),
    ],
    initializers: [
      constants('w', [4, 2, 3, 3], [...wave(72, 0.71, 0.4)]),
      constants('b', [4], [0, 0, 0, 0]),
      constants('v', [3, 4, 1, 1], [...wave(12, 0.91)]),
    ],
    inputs: [value('x', elemType, ['N', 2, 5, 5])],
    outputs: [value('y', elemType, ['N', 3])],
  });

async function valuesIn({ document }: EditableModel, name: string) {
  const weight = weightOf(indexGraphs(document), document.graph, name);
  return weight === undefined ? [] : Array.from(await readWeight(document, weight));
}

test.each([
  ['float32', 'insert', floats, 1],
  ['float32', 'frozen', floats, 1],
  ['float16', 'insert', halves, 10],
] as const)('the change of a weight is that of the result: %s, batch normalisation %s', async (...given) => {
  const [, batchNorm, constants, elemType] = given;
  const loaded = await modelFromBytes(net(constants, elemType));
  const trainer = await createTrainer(loaded, {
    inputs: { x: { elemType: 'f32', dims: [32, 2, 5, 5], data: wave(1600, 0.37, 2) } },
    targets: Array.from({ length: 32 }, (_, at) => at % 3),
    ...{ batchNorm, epochs: 3, batch: 8, rate: 0.05, provider: nodeProvider('cpu') },
  });
  for await (const _ of trainer);
  const result = await loaded.edited(await trainer.model());
  const moved = await movedWeights(loaded, trainer);
  await trainer.close();
  expect(moved.map(({ weight }) => weight).toSorted()).toEqual(['b', 'v', 'w']);
  for (const { weight, change } of moved) {
    const [before, after] = [await valuesIn(loaded, weight), await valuesIn(result, weight)];
    const norm = Math.hypot(...before);
    const distance = Math.hypot(...after.map((one, at) => one - (before[at] ?? 0)));
    expect(change).toEqual(norm === 0 ? null : expect.closeTo(distance / norm, 12));
    expect(distance).toBeGreaterThan(0);
  }
});
