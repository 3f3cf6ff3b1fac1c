import { describe, expect, test } from 'vitest';
import { createRandom, normal } from '../../src/base/random.js';
import { arraySamples } from '../../src/data/samples.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import type { Provider } from '../../src/providers/provider.js';
import type { Tensor } from '../../src/providers/tensor.js';
import { createTrainer, type ProviderTrainerOptions } from '../../src/train/index.js';
import { floats, halves, ints, model, node, value } from '../support/model.js';
import { bytesOf } from '../support/models.js';

const provider = nodeProvider('cpu');

/** Samples of three normal numbers each. */
function points(count: number, seed = 3): Tensor & { data: Float32Array } {
  const random = createRandom(seed);
  const data = Float32Array.from({ length: 3 * count }, () => normal(random));
  return { elemType: 'f32', dims: [count, 3], data };
}

const OPTIMUM = [1.5, -0.5, 0.25];
const linear = ({ data }: { data: Float32Array }, row: number) =>
  OPTIMUM.reduce((sum, weight, at) => sum + weight * (data[3 * row + at] ?? 0), 0.75);

const linearModel = (outputs = 1) =>
  model({
    nodes: [node('Gemm', ['x', 'w', 'b'], ['y'])],
    initializers: [
      floats('w', [3, outputs], Array(3 * outputs).fill(0)),
      floats('b', [outputs], Array(outputs).fill(0)),
    ],
    inputs: [value('x', 1, ['N', 3])],
    outputs: [value('y', 1, ['N', outputs])],
  });

const doubles: typeof floats = (name, dims, data) => ({
  ...{ name, dataType: 11, dims: [...dims] },
  rawData: new Uint8Array(new Float64Array(data).buffer),
});

const x = points(96);
const targets = {
  elemType: 'f32',
  dims: [96, 1],
  data: Float32Array.from({ length: 96 }, (_, row) => linear(x, row)),
};
const regression = { inputs: { x }, targets, loss: 'mse', batch: 32, rate: 0.05, provider } as const;
const classes: number[] = Array.from({ length: 96 }, (_, row) => (linear(x, row) > 0 ? 1 : 0));
const classification = { inputs: { x }, targets: classes, batch: 16, rate: 0.1, provider } as const;

async function trained(bytes: Uint8Array, options: ProviderTrainerOptions) {
  const trainer = await createTrainer(bytes, options);
  for await (const _ of trainer);
  const result = await (await trainer.model()).bytes();
  await trainer.close();
  return {
    result,
    epochs: trainer.epochs,
    checkpoint: trainer.checkpoint(),
    weights: trainer.weights(),
    trainer,
  };
}

describe('a known optimum is found', () => {
  test('by least squares', async () => {
    const { weights, result, epochs } = await trained(linearModel(), { ...regression, epochs: 80 });
    for (const [at, weight] of OPTIMUM.entries()) expect(weights.get('w')?.[at]).toBeCloseTo(weight, 2);
    expect(weights.get('b')?.[0]).toBeCloseTo(0.75, 2);
    expect(epochs.at(-1)?.loss).toBeLessThan(1e-4);
    expect(epochs.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 80 }, (_, at) => at + 1));
    const session = await provider.open(result);
    const { y } = await session.run({ x });
    for (const row of [0, 5, 95]) expect(y?.data[row]).toBeCloseTo(linear(x, row), 1);
    await session.close();
  });

  test.each([
    ['cross-entropy', 2],
    ['bce', 1],
  ] as const)('by logistic regression with %s', async (loss, outputs) => {
    // Decay makes the optimum finite: at the optimum, the mean gradient of the loss is -decay × weights.
    const decay = 0.05;
    const { weights } = await trained(linearModel(outputs), {
      ...{ ...classification, loss, batch: 96, epochs: 200 },
      optimizer: { kind: 'sgd', momentum: 0.9, weightDecay: decay },
    });
    const [w = [], b = []] = [weights.get('w'), weights.get('b')];
    const gradient = new Float64Array(3 * outputs);
    for (let row = 0; row < 96; row++) {
      const scores = Array.from({ length: outputs }, (_, k) =>
        [0, 1, 2].reduce(
          (sum, at) => sum + (w[at * outputs + k] ?? 0) * (x.data[3 * row + at] ?? 0),
          b[k] ?? 0,
        ),
      );
      const powers = scores.map((score) => Math.exp(score));
      const total = outputs === 1 ? 1 + (powers[0] ?? 0) : powers.reduce((sum, power) => sum + power, 0);
      for (let k = 0; k < outputs; k++) {
        const wanted = outputs === 1 ? classes[row] : Number(classes[row] === k);
        const error = (powers[k] ?? 0) / total - (wanted ?? 0);
        for (let at = 0; at < 3; at++)
          gradient[at * outputs + k] =
            (gradient[at * outputs + k] ?? 0) + (error * (x.data[3 * row + at] ?? 0)) / 96;
      }
    }
    for (const [at, slope] of gradient.entries()) expect(slope + decay * (w[at] ?? 0)).toBeCloseTo(0, 3);
  });
});

const validation = { inputs: { x: points(40, 9) }, targets: classes.slice(0, 40) };

describe('a training', () => {
  test('of the same seed gives the same bytes; of another, others', async () => {
    const options = { ...classification, epochs: 2, validation };
    const [one, same, other] = [
      await trained(linearModel(2), options),
      await trained(linearModel(2), options),
      await trained(linearModel(2), { ...options, seed: 1 }),
    ];
    expect(Buffer.compare(one.result, same.result)).toBe(0);
    expect(Buffer.compare(one.result, other.result)).not.toBe(0);
  });

  test('goes on from each checkpoint to the same bytes as without a stop', async () => {
    const options = {
      ...{ ...classification, epochs: 5, validation, warmUp: 0.5, batch: 20 },
      optimizer: { kind: 'rmsprop', momentum: 0.9 },
    } as const;
    const whole = await trained(linearModel(2), options);
    const trainer = await createTrainer(linearModel(2), options);
    const checkpoints = [trainer.checkpoint()];
    for await (const { epoch } of trainer) if (epoch % 2 === 0) checkpoints.push(trainer.checkpoint());
    await trainer.close();
    for (const resume of checkpoints) {
      const { result, epochs, checkpoint, trainer } = await trained(linearModel(2), { ...options, resume });
      expect(Buffer.compare(result, whole.result)).toBe(0);
      const timeless = (all: typeof epochs) => all.map((epoch) => ({ ...epoch, seconds: 0 }));
      expect(timeless(epochs)).toEqual(timeless(whole.epochs));
      expect(trainer.best).toBe(whole.trainer.best);
      expect(checkpoint.length).toBeGreaterThan(0);
    }
  });

  test('that is aborted at any step is at its last whole epoch, and can go on', async () => {
    const options = { ...classification, epochs: 3, batch: 32, validation };
    const whole = await trained(linearModel(2), options);
    for (const stop of [0, 2, 3, 7]) {
      const controller = new AbortController();
      let steps = 0;
      const trainer = await createTrainer(linearModel(2), {
        ...{ ...options, signal: controller.signal },
        onProgress: () => void (++steps > stop && controller.abort()),
      });
      const epochs = async () => {
        for await (const _ of trainer);
      };
      await expect(epochs()).rejects.toMatchObject({ code: 'aborted' });
      // The last step of an epoch is aborted before the epoch is complete, as its validation is.
      expect(trainer.epochs).toHaveLength(Math.floor(stop / 3));
      const resumed = await trained(linearModel(2), { ...options, resume: trainer.checkpoint() });
      expect(Buffer.compare(resumed.result, whole.result), `stopped after ${stop}`).toBe(0);
      await trainer.close();
    }
  });

  test.each([1, 2, 3, 4])('whose samples fail at read %i goes on as if nothing had been', async (failing) => {
    const options = { ...classification, epochs: 2, batch: 32, reference: provider };
    const whole = await trained(linearModel(2), options);
    let reads = 0;
    let isFailing = false;
    const inner = arraySamples({ x }, [{ name: 'x', elemType: 'f32', inner: [3] }]);
    const trainer = await createTrainer(linearModel(2), {
      ...options,
      inputs: {
        ...inner,
        read(indices, batch) {
          if (isFailing && ++reads === failing) throw new Error('the disk is away');
          return inner.read(indices, batch);
        },
      },
    });
    isFailing = true;
    const all = async () => {
      for await (const _ of trainer);
    };
    await expect(all()).rejects.toThrow('the disk is away');
    await all();
    expect(trainer.weights()).toEqual(whole.weights);
    await trainer.close();
  });

  test('that was aborted before it began opens nothing', async () => {
    const opened: unknown[] = [];
    const open: Provider['open'] = (...given) => {
      opened.push(given);
      return provider.open(...given);
    };
    const options = { ...classification, provider: { ...provider, open }, signal: AbortSignal.abort() };
    await expect(createTrainer(linearModel(2), options)).rejects.toMatchObject({ code: 'aborted' });
    expect(opened).toEqual([]);
  });

  test('can be left and continued', async () => {
    const trainer = await createTrainer(linearModel(2), { ...classification, epochs: 4 });
    const seen: number[] = [];
    for await (const { epoch } of trainer) {
      seen.push(epoch);
      if (epoch === 2) break;
    }
    for await (const { epoch } of trainer) seen.push(epoch);
    expect(seen).toEqual([1, 2, 3, 4]);
    await trainer.close();
  });

  test('shares its batches with the training of another model', async () => {
    const batches = async (bytes: Uint8Array) => {
      const seen: number[][] = [];
      const inner = points(48, 5);
      const samples = {
        count: 48,
        inputs: { x: { elemType: 'f32', dims: [3] } },
        read(indices: ArrayLike<number>, batch: Readonly<Record<string, Tensor>>) {
          seen.push(Array.from(indices));
          const into = batch.x?.data;
          if (!(into instanceof Float32Array)) throw new Error('the batch has no array');
          for (const [place, index] of Array.from(indices).entries())
            into.set(inner.data.subarray(3 * index, 3 * index + 3), 3 * place);
        },
      };
      await trained(bytes, { ...classification, inputs: samples, targets: classes.slice(0, 48), epochs: 2 });
      return seen;
    };
    const deeper = model({
      nodes: [
        node('Gemm', ['x', 'w', 'b'], ['h']),
        node('Relu', ['h'], ['r']),
        node('Gemm', ['r', 'v'], ['y']),
      ],
      initializers: [
        floats('w', [3, 3], Array(9).fill(0.5)),
        floats('b', [3], [1, 2, 3]),
        floats('v', [3, 2], Array(6).fill(0.1)),
      ],
      inputs: [value('x', 1, ['N', 3])],
      outputs: [value('y', 1, ['N', 2])],
    });
    const [one, other] = [await batches(linearModel(2)), await batches(deeper)];
    expect(one).toEqual(other);
    // The first batch is the probe's.
    const [first, second] = [one.slice(1, 4).flat(), one.slice(4).flat()];
    const all = Array.from({ length: 48 }, (_, at) => at);
    for (const epoch of [first, second]) expect(epoch.toSorted((a, b) => a - b)).toEqual(all);
    expect(first).not.toEqual(second);
  });

  test('keeps the epoch with the best validation score, and stops after a few without a better one', async () => {
    const turned = { inputs: { x: points(40, 9) }, targets: validation.targets.map((label) => 1 - label) };
    const options = { ...classification, rate: 0.001, validation: turned, schedule: 'constant' } as const;
    const { epochs, trainer, weights } = await trained(linearModel(2), {
      ...options,
      epochs: 40,
      patience: 3,
    });
    expect(epochs.length).toBe((trainer.best ?? 0) + 3);
    const until = await trained(linearModel(2), { ...options, epochs: trainer.best ?? 1 });
    expect(weights).toEqual(until.weights);
    const last = await trained(linearModel(2), { ...options, epochs: 40, patience: 3, keep: 'last' });
    expect(last.weights).not.toEqual(weights);
  });

  test('evaluates with a last batch that is not full', async () => {
    const trainer = await createTrainer(linearModel(2), { ...classification, epochs: 1 });
    for await (const _ of trainer);
    const [whole, part] = [
      await trainer.evaluate({ inputs: { x }, targets: classes }),
      await trainer.evaluate({
        inputs: { x: { ...x, dims: [19, 3], data: x.data.subarray(0, 57) } },
        targets: classes.slice(0, 19),
      }),
    ];
    expect(part.losses).toEqual(whole.losses.subarray(0, 19));
    expect(part.predictions).toEqual(whole.predictions?.subarray(0, 19));
    expect(whole.accuracy).toBeGreaterThan(0.8);
    expect(whole.loss).toBeCloseTo(whole.losses.reduce((sum, one) => sum + one, 0) / 96, 12);
    await trainer.close();
  });

  // Batches that are smaller than that of a step, divide it or do not, equal it, and exceed it; a Reshape to the batch cannot be freed.
  test.each([1, 5, 16, 32, 40])(
    'learns from a teacher of batches of %d as from one of any batch',
    async (batch) => {
      const options = { ...regression, batch: 32, epochs: 2 };
      const values = [floats('w', [3, 1], [1, -2, 0.5]), floats('b', [1], [0.25])];
      const teacherOf = (size: number | 'N', isReshaped = false) =>
        model({
          nodes: [
            node(isReshaped ? 'Reshape' : 'Identity', isReshaped ? ['x', 'shape'] : ['x'], ['h']),
            node('Gemm', ['h', 'w', 'b'], ['y']),
          ],
          initializers: [...values, ints('shape', [2], [Number(size) || 1, 3])],
          inputs: [value('x', 1, [size, 3])],
          outputs: [value('y', 1, [size, 1])],
        });
      const weightsBy = async (student: Uint8Array, teacher: Uint8Array) =>
        (await trained(student, { ...options, teacher: { model: teacher, share: 0.7 } })).weights;
      const expected = await weightsBy(linearModel(), teacherOf('N'));
      for (const teacher of [teacherOf(batch), teacherOf(batch, true)]) {
        const found = await weightsBy(linearModel(), teacher);
        for (const [name, own] of expected)
          for (const [at, one] of own.entries()) expect(found.get(name)?.[at], name).toBeCloseTo(one, 5);
      }
    },
  );

  test('learns from a teacher alone', async () => {
    const teacher = await trained(linearModel(), { ...regression, epochs: 40 });
    const { weights } = await trained(linearModel(), {
      ...{ ...regression, epochs: 60, teacher: { model: teacher.result, share: 1 } },
      targets: { ...targets, data: targets.data.map(() => 7) },
    });
    for (const [at, weight] of OPTIMUM.entries()) expect(weights.get('w')?.[at]).toBeCloseTo(weight, 1);
  });

  test.each([
    ['float16', halves, 10],
    ['float64', doubles, 11],
  ] as const)('learns from a teacher of %s as from one of float32', async (_, constants, elemType) => {
    const teacher = model({
      nodes: [node('Gemm', ['x', 'w', 'b'], ['y'])],
      initializers: [constants('w', [3, 1], OPTIMUM), constants('b', [1], [0.75])],
      inputs: [value('x', elemType, ['N', 3])],
      outputs: [value('y', elemType, ['N', 1])],
    });
    const { weights } = await trained(teacher, {
      ...{ ...regression, epochs: 20, teacher: { model: teacher, share: 1 } },
      targets: { ...targets, data: targets.data.map(() => 7) },
    });
    for (const [at, weight] of OPTIMUM.entries()) expect(weights.get('w')?.[at]).toBeCloseTo(weight, 5);
  });

  test.each([
    ['cross-entropy', 2, classes],
    ['bce', 1, { elemType: 'f32', dims: [96, 1], data: Float32Array.from(classes) }],
  ] as const)(
    'counts predictions by the labels, not by a teacher of any share: %s',
    async (loss, outputs, labels) => {
      const accuracyBeside = async (teacher: ProviderTrainerOptions['teacher']) => {
        const { epochs } = await trained(linearModel(outputs), {
          ...{ ...classification, loss, targets: labels, epochs: 1, rate: 1e-30, teacher },
          initial: (_, weights) =>
          new Map(weights.map(({ name }) => [name, Float32Array.from({ length: name === 'w' ? 3 * outputs : outputs }, (_, at) => Math.sin(at + 1))])), // biome-ignore format: one call
        });
        return epochs[0]?.accuracy;
      };
      const alone = await accuracyBeside(undefined);
      expect(alone).toBeGreaterThan(0);
      expect(alone).toBeLessThan(1);
      // The teacher is right and wrong where the model is not: it answers class 0 everywhere.
      for (const share of [0.1, 0.5, 0.6, 1])
        expect(await accuracyBeside({ model: linearModel(outputs), share })).toBe(alone);
    },
  );

  test('stops if another provider computes another first loss', async () => {
    const wrong: Provider = {
      ...provider,
      name: 'webgpu',
      async open(bytes, options) {
        const session = await provider.open(bytes, options);
        const run = async (feeds: Parameters<typeof session.run>[0]) => {
          const outputs = await session.run(feeds);
          const loss = outputs['onnx-mish/train/loss'];
          if (loss !== undefined) (loss.data as Float32Array)[0] = 2 * Number(loss.data[0]);
          return outputs;
        };
        return { ...session, run, runInto: undefined } as unknown as typeof session;
      },
    };
    const options = { ...classification, epochs: 1 };
    await trained(linearModel(2), { ...options, reference: provider });
    await expect(
      trained(linearModel(2), { ...options, provider: wrong, reference: provider }),
    ).rejects.toMatchObject({
      code: 'run-failed',
      what: expect.stringMatching(/^the first loss is .* on webgpu, but .* on cpu$/),
    });
  });

  test('leaves frozen weights as they are', async () => {
    const { weights, trainer } = await trained(linearModel(2), {
      ...classification,
      freeze: (name) => name === 'b',
    });
    expect([...weights.keys()]).toEqual(['w']);
    expect(trainer.trained).toEqual(['w']);
  });
});

test('a fixed batch dimension is freed for training, and the result keeps it', async () => {
  const fixed = model({
    nodes: [node('Gemm', ['x', 'w', 'b'], ['y'])],
    initializers: [floats('w', [3, 2], Array(6).fill(0)), floats('b', [2], [0, 0])],
    inputs: [value('x', 1, [1, 3])],
    outputs: [value('y', 1, [1, 2])],
  });
  const [free, freed] = [await trained(linearModel(2), classification), await trained(fixed, classification)];
  expect(freed.weights).toEqual(free.weights);
  expect(freed.trainer.remarks.map(({ code }) => code)).toContain('batch-freed');
  expect((await modelFromBytes(freed.result)).document.graph.inputs[0]?.dims).toEqual([1, 3]);
  expect(freed.epochs).toEqual(
    free.epochs.map((epoch, at) => ({ ...epoch, seconds: freed.epochs[at]?.seconds })),
  );
});

const lenet = bytesOf('models/lenet5.onnx');
const images = { elemType: 'f32', dims: [24, 1, 28, 28], data: new Float32Array(24 * 784).fill(0.5) };

describe('a clear error for', () => {
  const cases: Readonly<Record<string, [Partial<ProviderTrainerOptions>, string, string]>> = {
    'labels of one class': [{ targets: Array(96).fill(1) }, 'bad-data', 'all labels are 1'],
    'a label out of range': [
      { targets: classes.with(7, 2) },
      'bad-data',
      'label 2 of sample 7 is outside the 2 classes (0 to 1)',
    ],
    'a label that is not whole': [
      { targets: classes.with(7, 0.5) },
      'bad-data',
      'label 0.5 of sample 7 is outside the 2 classes (0 to 1)',
    ],
    'fewer labels than samples': [
      { targets: classes.slice(1) },
      'bad-data',
      'there are 95 targets for 96 samples',
    ],
    'a batch larger than the data': [
      { batch: 97 },
      'bad-data',
      'a batch of 97 is larger than the 96 samples',
    ],
    'NaN in the data': [
      { inputs: { x: { ...x, data: x.data.with(10, Number.NaN) } } },
      'bad-data',
      "the data of 'x' contain NaN in sample 3",
    ],
    'infinite targets': [
      {
        loss: 'mse',
        targets: { elemType: 'f32', dims: [96, 2], data: new Float32Array(192).fill(Infinity, 9, 10) },
      },
      'bad-data',
      "the data of 'targets' contain Infinity in sample 4",
    ],
    'targets of another shape': [
      { loss: 'mse', targets: classes },
      'bad-data',
      'the targets have shape [96], but the output has [N, 2]',
    ],
    'probabilities above one': [
      { targets: { elemType: 'f32', dims: [96, 2], data: new Float32Array(192).fill(2, 3, 4) }, loss: 'bce' },
      'bad-data',
      'the target 2 of sample 1 is outside 0 to 1',
    ],
    'the same targets for all samples': [
      { targets: { elemType: 'f32', dims: [96, 2], data: new Float32Array(192).fill(0.5) } },
      'bad-data',
      'all samples have the same targets',
    ],
    'initial values of another number': [
      { initial: () => new Map([['b', [1, 2, 3]]]) },
      'bad-usage',
      "the weight 'b' has 2 elements, and its initial values are 3",
    ],
    'samples of another shape': [
      { inputs: { x: { ...x, dims: [72, 4] } } },
      'bad-data',
      "the samples for input 'x' have shape [72,4], but the input takes [N, 3]",
    ],
    'an array without an input': [{ inputs: { z: x, y: x } }, 'bad-data', "input 'x' has no array"],
    'all weights frozen': [{ freeze: () => true }, 'bad-usage', 'the model has no weights to train'],
    'an output that is not there': [{ output: 'z' }, 'bad-usage', "the model has no output 'z'"],
    'no epochs': [{ epochs: 0 }, 'bad-usage', 'the number of epochs must be a positive integer, got 0'],
    'a negative rate': [
      { rate: -1 },
      'bad-usage',
      'the learning rate must be above 0 and at most 1000, got -1',
    ],
    'augmentation without images': [
      { augment: ['flip'] },
      'bad-usage',
      'the model takes no images, and only images can be augmented',
    ],
  };
  test.each(Object.entries(cases))('%s', async (_, [options, code, what]) => {
    const trainer = createTrainer(linearModel(2), { ...classification, ...options });
    await expect(trainer).rejects.toMatchObject({ name: 'OnnxMishError', code, what });
  });

  test('a model without weights', async () => {
    const bytes = model({
      nodes: [node('Relu', ['x'], ['y'])],
      inputs: [value('x', 1, ['N', 3])],
      outputs: [value('y', 1)],
    });
    await expect(createTrainer(bytes, classification)).rejects.toMatchObject({
      code: 'bad-usage',
      what: 'the model has no weights that can be trained',
    });
  });

  test('cross-entropy of one score for each sample, which bce takes', async () => {
    const options = { ...classification, targets: classes };
    const named = { ...options, loss: 'cross-entropy' } as const;
    await expect(createTrainer(linearModel(1), named)).rejects.toMatchObject({
      code: 'bad-data',
      what: 'the output has one score for each sample, and cross-entropy needs two',
      option: { loss: 'bce' },
    });
    await (await createTrainer(linearModel(1), { ...options, loss: 'bce' })).close();
  });

  test('a rate at which training diverges', async () => {
    const trainer = await createTrainer(linearModel(), {
      ...{ ...regression, rate: 1000, schedule: 'constant', epochs: 30 },
      optimizer: { kind: 'sgd' },
    });
    const epochs = async () => {
      for await (const _ of trainer);
    };
    await expect(epochs()).rejects.toMatchObject({
      code: 'run-failed',
      what: expect.stringMatching(
        /^the loss of step \d+ is Infinity, although all tensors of the model are finite$/,
      ),
    });
    await trainer.close();
  });

  test('a checkpoint of another model, of other options or of other data', async () => {
    const from = (...start: number[]) => ({ initial: () => new Map([['w', start]]) });
    const moved = model({
      nodes: [node('Gemm', ['x', 'w', 'b'], ['y'])],
      initializers: [floats('w', [3, 2], Array(6).fill(1)), floats('b', [2], [0, 0])],
      inputs: [value('x', 1, ['N', 3])],
      outputs: [value('y', 1, ['N', 2])],
    });
    const teacher = { model: linearModel(2), share: 0.5 };
    const given = { ...classification, validation, teacher, ...from(0, 0, 0, 0, 0, 1) };
    const { checkpoint } = await trained(linearModel(2), { ...given, epochs: 1 });
    const resume = checkpoint;
    /** The data of a tensor with another last element. */
    const changed = (tensor: Tensor & { data: Float32Array }) => ({
      ...tensor,
      data: tensor.data.map((one, at, all) => (at === all.length - 1 ? one + 1e-3 : one)),
    });
    const again = { ...given, resume };
    const refused = {
      code: 'bad-usage',
      what: 'the checkpoint is of another model, other data or other options',
    };
    await (await createTrainer(linearModel(2), { ...again, epochs: 1 })).close();
    for (const other of [
      { epochs: 1, inputs: { x: changed(x) } },
      { epochs: 1, validation: { ...validation, inputs: { x: changed(validation.inputs.x) } } },
      { epochs: 1, validation: { ...validation, targets: validation.targets.map((one) => 1 - one) } },
      { epochs: 1, validation: undefined },
      { epochs: 2 },
      { epochs: 1, seed: 4 },
      { epochs: 1, rate: 0.2 },
      { epochs: 1, targets: classes.map((label) => 1 - label) },
      { epochs: 1, freeze: (name: string) => name === 'b' },
      { epochs: 1, ...from(0, 0, 0, 0, 0, 1 + 2 ** -20) },
      { epochs: 1, initial: undefined },
      { epochs: 1, teacher: { ...teacher, share: 0.25 } },
      { epochs: 1, teacher: { ...teacher, model: moved } },
      { epochs: 1, teacher: undefined },
    ])
      await expect(createTrainer(linearModel(2), { ...again, ...other })).rejects.toMatchObject(refused);
    await expect(createTrainer(moved, { ...again, epochs: 1 })).rejects.toMatchObject(refused);
  });
});

test('LeNet-5 is trained and augmented with a part of its data left out, and says so', async () => {
  const random = createRandom(1);
  const noisy = { ...images, data: images.data.map(() => random()) };
  const labels = Array.from({ length: 24 }, (_, at) => at % 10);
  const options = {
    inputs: { images: noisy },
    targets: labels,
    epochs: 3,
    batch: 10,
    rate: 1e-3,
    provider,
  } as const;
  const [plain, augmented, again] = [
    await trained(lenet, options),
    await trained(lenet, { ...options, augment: ['flip', 'crop', 'erase'] }),
    await trained(lenet, { ...options, augment: ['flip', 'crop', 'erase'] }),
  ];
  expect(plain.trainer.remarks).toContainEqual({
    code: 'partial-batch',
    text: 'Each epoch leaves out 4 of the 24 samples, which do not fill a batch of 10',
  });
  expect(plain.epochs.at(-1)?.loss).toBeLessThan(plain.epochs[0]?.loss ?? 0);
  expect(Buffer.compare(augmented.result, again.result)).toBe(0);
  expect(Buffer.compare(augmented.result, plain.result)).not.toBe(0);
  const shapeOf = async (bytes: Uint8Array) => {
    const { graph } = (await modelFromBytes(bytes)).document;
    const initializers = [...graph.initializers.values()].map(({ name, dims, elemType }) => [
      name,
      dims,
      elemType,
    ]);
    return {
      initializers,
      nodes: graph.nodes.map(({ opType, inputs, outputs }) => [opType, inputs, outputs]),
    };
  };
  expect(await shapeOf(plain.result)).toEqual(await shapeOf(lenet));
});
