import { expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { createTrainer } from '../../src/train/train-model.js';
import type { TrainerOptions } from '../../src/train/trainer-options.js';
import { floats, model, node, value } from '../support/model.js';
import { wave } from '../support/training.js';

const inputs = { x: { elemType: 'f32', dims: [6, 3], data: wave(18, 0.9) } };
const targets = { elemType: 'f32', dims: [6, 2], data: wave(12, 0.4) };
const names = ['ones', 'zeros', 'mean', 'variance'] as const;

/** Opens a trainer of a net with a batch normalisation of these inputs. */
async function open(
  slots: readonly string[],
  options: Pick<TrainerOptions, 'batchNorm' | 'freeze'>,
  ...before: onnx.INodeProto[]
) {
  const bytes = model({
    nodes: [
      ...before,
      ...(before.some(({ output }) => output?.includes('h')) ? [] : [node('MatMul', ['x', 'w'], ['h'])]),
      node('BatchNormalization', ['h', ...slots], ['y'], {}, { name: 'norm' }),
    ],
    inputs: [value('x', 1, ['N', 3])],
    outputs: [value('y', 1, ['N', 2])],
    initializers: [
      floats('w', [3, 2], [...wave(6, 0.7)]),
      ...names.map((name) => floats(name, [2], name === 'zeros' || name === 'mean' ? [0, 0] : [1, 1])),
      ...['scale', 'shift'].map((name) => floats(name, [2], [0.5, 2])),
    ],
  });
  const provider = nodeProvider('cpu');
  const trainer = await createTrainer(bytes, { inputs, targets, loss: 'mse', provider, ...options });
  for await (const { loss } of trainer) expect(loss).toBeGreaterThan(0);
  await trainer.close();
  return [...trainer.weights().keys()].sort();
}

const copies = [node('Identity', ['ones'], ['copy']), node('Identity', ['zeros'], ['none'])];
const MODES = ['train', 'frozen'] as const;

test.each(MODES)('running statistics that are also a trained weight are refused: %s', async (batchNorm) => {
  const direct = open(['ones', 'zeros', 'mean', 'ones'], { batchNorm });
  await expect(direct).rejects.toMatchObject({
    code: 'bad-usage',
    what: "the running variance is also the weight 'ones', which is trained",
  });
  await expect(open(['ones', 'zeros', 'none', 'copy'], { batchNorm }, ...copies)).rejects.toMatchObject({
    code: 'bad-usage',
    what: "the running mean is also the weight 'zeros', which is trained",
  });
});

test('such statistics do where the weight is frozen and they stay', async () => {
  const freeze = (name: string) => name !== 'w';
  expect(await open(['ones', 'zeros', 'none', 'copy'], { batchNorm: 'frozen', freeze }, ...copies)).toEqual([
    'w',
  ]);
  const moving = { batchNorm: 'train', freeze: (name: string) => ['ones', 'zeros'].includes(name) } as const;
  await expect(open(['ones', 'zeros', 'none', 'copy'], moving, ...copies)).rejects.toMatchObject({
    what: "the running mean 'none' has no tensor of its own, so that it cannot move",
  });
  // Frozen statistics stay, whoever else has them.
  expect(await open(['ones', 'zeros', 'none', 'copy'], { batchNorm: 'train', freeze }, ...copies)).toEqual([
    'w',
  ]);
  expect(await open(['ones', 'zeros', 'mean', 'ones'], moving)).toEqual(['w']);
});

test.each(['mean', 'variance'])(
  'two layers with one %s, as of a new network, are refused where it moves',
  async (kind) => {
    const slots = ['mean', 'variance'].map((name) => (name === kind ? name : `own ${name}`));
    const other = node('BatchNormalization', ['g', 'ones', 'zeros', ...slots], ['h'], {}, { name: 'other' });
    const own = ['mean', 'variance'].map((name) =>
      node('Constant', [], [`own ${name}`], { value: { tensor: floats('', [2], [1, 1]) } }),
    );
    const before = [...own, node('MatMul', ['x', 'w'], ['g']), other];
    const slotsOfNorm = ['scale', 'shift', 'mean', 'variance'];
    await expect(open(slotsOfNorm, { batchNorm: 'train' }, ...before)).rejects.toMatchObject({
      what: `the running ${kind} '${kind}' has no tensor of its own, so that it cannot move`,
    });
    expect(await open(slotsOfNorm, { batchNorm: 'frozen' }, ...before)).toContain('scale');
    const freeze = (name: string) => name === kind;
    expect(await open(slotsOfNorm, { batchNorm: 'train', freeze }, ...before)).not.toContain('mean');
  },
);

test.each(MODES)('statistics of their own do: %s', async (batchNorm) => {
  const moved = batchNorm === 'train' ? names : ['ones', 'zeros'];
  expect(await open(['ones', 'zeros', 'mean', 'variance'], { batchNorm })).toEqual([...moved, 'w'].sort());
});
