import { describe, expect, test } from 'vitest';
import { indexGraphs } from '../../src/onnx/graph-index.js';
import { type Edit, splice } from '../../src/onnx/splice.js';
import { readWeight, weightEdit, weightOf } from '../../src/onnx/weights.js';
import { type EditableModel, modelFromBytes } from '../../src/providers/loaded-model.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import type { Tensors } from '../../src/providers/tensor.js';
import { graphOptimizer } from '../../src/train/graph-optimizers.js';
import { withBatchNorm } from '../../src/train/insert-batch-norm.js';
import { prepareTraining } from '../../src/train/prepare-training.js';
import { createTrainer } from '../../src/train/train-model.js';
import { floats, halves, model, node, value } from '../support/model.js';
import { openTraining, wave } from '../support/training.js';

const provider = nodeProvider('cpu');
const optimizer = graphOptimizer({ kind: 'adam' });
const x = { elemType: 'f32', dims: [8, 2, 5, 5], data: wave(400, 0.37, 2) };
const targets = wave(24, 1.3);
const rows = { elemType: 'f32', dims: [8, 3], data: targets };

/** Two convolutions, the second without a bias and with groups, and a classifier. */
function net(constant = floats, elemType = 1): Uint8Array {
  return model({
    nodes: [
      node('Conv', ['x', 'w1', 'b1'], ['c1'], { pads: [1, 1, 1, 1] }, { name: 'first' }),
      node('Relu', ['c1'], ['r1']),
      node('Conv', ['r1', 'w2'], ['c2'], { group: 2 }, { name: 'second' }),
      node('Add', ['c2', 'c2'], ['a2']),
      node('GlobalAveragePool', ['a2'], ['g']),
      node('Conv', ['g', 'w3'], ['c3'], {}, { name: 'third' }),
      node('Flatten', ['c3'], ['y']),
    ],
    initializers: [
      constant('w1', [4, 2, 3, 3], [...wave(72, 0.71, 0.4)]),
      constant('b1', [4], [0.3, -0.2, 0.1, 2]),
      constant('w2', [6, 2, 3, 3], [...wave(108, 0.53, 0.4)]),
      constant('w3', [3, 6, 1, 1], [...wave(18, 0.91)]),
    ],
    inputs: [value('x', elemType, ['N', 2, 5, 5])],
    outputs: [value('y', elemType, ['N', 3])],
  });
}

const yOf = (given: EditableModel, edits: readonly Edit[], feeds: Tensors) =>
  given.withEdited(splice(given.document.source, edits), async (copy) => {
    const session = await provider.open(copy);
    const found = await session.run(feeds);
    await session.close();
    return Array.from(found.y?.data as Float32Array);
  });

const expectClose = (found: readonly number[], expected: readonly number[], digits: number) => {
  expect(found).toHaveLength(expected.length);
  for (const [at, one] of expected.entries()) expect(found[at]).toBeCloseTo(one, digits);
};

async function* batches(): AsyncGenerator<Tensors> {
  yield { x };
}

async function inserted(bytes: Uint8Array) {
  const options = { provider, output: 'y', loss: 'mse', feeds: { x } } as const;
  const prepared = await prepareTraining(await modelFromBytes(bytes), options);
  return { prepared, normed: await withBatchNorm(prepared, batches, { provider }) };
}

describe('batch normalisation that is put back', () => {
  test('leaves the function as it is, and is not put behind outputs without places', async () => {
    const { prepared, normed } = await inserted(net());
    expectClose(await yOf(normed.model, [], { x }), await yOf(prepared.model, [], { x }), 5);
    const norms = normed.model.document.graph.nodes.filter(({ opType }) => opType === 'BatchNormalization');
    expect(norms.map(({ outputs }) => outputs[0])).toEqual(['c1', 'c2']);
    expect(normed.remarks.map(({ code }) => code)).toEqual(['batch-norm-inserted']);
    expect(normed.weights).toHaveLength(prepared.weights.length + 4);
  });

  test('is folded into the weights again after training, exactly', async () => {
    const { prepared, normed } = await inserted(net());
    const { stepper, session } = await openTraining(normed.model, { x }, provider, {
      ...{ output: 'y', loss: 'mse', optimizer, weights: normed.weights, batchNorm: 'train' },
    });
    const losses: number[] = [];
    for (let turn = 0; turn < 20; turn++) losses.push((await stepper.step({ x }, targets, 0.02)).loss);
    expect(losses.at(-1)).toBeLessThan(losses[0] ?? 0);
    await session.close();
    const state = stepper.state();
    const copyEdits: Edit[] = [];
    const { document } = normed.model;
    for (const [name, values] of state) {
      const weight = weightOf(normed.index, document.graph, name);
      if (weight !== undefined) copyEdits.push(await weightEdit(document, weight, values));
    }
    const [original, edits] = [prepared.original, await normed.edits(state)];
    const before = await yOf(original, [], { x });
    const found = await yOf(original, edits, { x });
    expectClose(found, await yOf(normed.model, copyEdits, { x }), 4);
    expect(Math.max(...found.map((one, at) => Math.abs(one - (before[at] ?? 0))))).toBeGreaterThan(0.1);
    // The original has the same nodes, and a constant for the bias that it lacked.
    const folded = await original.edited(splice(original.document.source, edits));
    expect(folded.document.graph.nodes.map(({ opType }) => opType)).toEqual([
      ...['Conv', 'Relu', 'Constant', 'Conv', 'Add', 'GlobalAveragePool', 'Conv', 'Flatten'],
    ]);
  });

  test('is a setting of a trainer', async () => {
    const loaded = await modelFromBytes(net());
    const trainer = await createTrainer(loaded, {
      ...{ inputs: { x }, targets: rows, loss: 'mse', batchNorm: 'insert', epochs: 2, batch: 4, provider },
    });
    const losses: number[] = [];
    for await (const { loss } of trainer) losses.push(loss);
    expect(losses).toHaveLength(2);
    expect(trainer.remarks.map(({ code }) => code)).toContain('batch-norm-inserted');
    const { loss } = await trainer.evaluate({ inputs: { x }, targets: rows });
    const found = await yOf(loaded, await trainer.edits(), { x });
    const mse = found.reduce((sum, one, at) => sum + (one - (targets[at] ?? 0)) ** 2 / found.length, 0);
    expect(mse).toBeCloseTo(loss, 4);
    await trainer.close();
  });

  test.each(['w1', 'b1', 'w2'])('leaves a convolution whose %s is frozen as it is', async (frozen) => {
    const loaded = await modelFromBytes(net());
    const trainer = await createTrainer(loaded, {
      ...{ inputs: { x }, targets: rows, loss: 'mse', batchNorm: 'insert', epochs: 2, batch: 4, provider },
      freeze: (name) => name === frozen,
    });
    for await (const _ of trainer);
    const result = await loaded.edited(await trainer.model());
    await trainer.close();
    const valuesIn = async ({ document }: EditableModel, name: string) => {
      const weight = weightOf(indexGraphs(document), document.graph, name);
      return weight && Array.from(await readWeight(document, weight));
    };
    const moved: string[] = [];
    for (const name of ['w1', 'b1', 'w2', 'w3'])
      if (String(await valuesIn(result, name)) !== String(await valuesIn(loaded, name))) moved.push(name);
    expect(moved).toEqual(['w1', 'b1', 'w2', 'w3'].filter((name) => name !== frozen));
  });

  test('without training, folds to the same weights', async () => {
    const { prepared, normed } = await inserted(net());
    const edits = await normed.edits(new Map());
    expectClose(await yOf(prepared.original, edits, { x }), await yOf(prepared.original, [], { x }), 5);
  });

  test('is folded into the weights of a float16 model', async () => {
    const { prepared, normed } = await inserted(net(halves, 10));
    const edits = await normed.edits(new Map());
    const folded = await prepared.original.edited(splice(prepared.original.document.source, edits));
    const again = await prepareTraining(folded, { provider, output: 'y', loss: 'mse', feeds: { x } });
    expectClose(await yOf(again.model, [], { x }), await yOf(prepared.model, [], { x }), 2);
  });
});

test('a model whose convolutions have a single place gets no batch normalisation, and a remark', async () => {
  const bytes = model({
    nodes: [
      node('GlobalAveragePool', ['x'], ['g']),
      node('Conv', ['g', 'w'], ['c'], {}),
      node('Flatten', ['c'], ['y']),
    ],
    initializers: [floats('w', [3, 2, 1, 1], [...wave(6, 0.91)])],
    inputs: [value('x', 1, ['N', 2, 5, 5])],
    outputs: [value('y', 1, ['N', 3])],
  });
  const trainer = await createTrainer(bytes, {
    ...{ inputs: { x }, targets: rows, loss: 'mse', batchNorm: 'insert', provider },
  });
  await trainer.close();
  expect(trainer.remarks.map(({ code }) => code)).toContain('single-places');
  expect(trainer.trained).toEqual(['w']);
});
