import { describe, expect, test } from 'vitest';
import { labelledArrays } from '../../src/finetune/labelled-arrays.js';
import type { FinetuneOptions, FinetuneStep } from '../../src/finetune/options.js';
import { parseFinetuneReport } from '../../src/finetune/report-schema.js';
import { approximations } from '../../src/mish/approximations.js';
import { FORMS } from '../../src/mish/forms.js';
import { undo } from '../../src/mish/history.js';
import { inspect } from '../../src/mish/inspect.js';
import { finetune } from '../../src/node/finetune.js';
import { toHalf } from '../../src/onnx/scalar.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import type { Provider } from '../../src/providers/provider.js';
import type { Tensors } from '../../src/providers/tensor.js';
import { CLASSES, classified, classifier } from '../support/classified.js';
import { decode, failure, nodesOf } from '../support/graph.js';
import { everyNth, isHeavy } from '../support/heavy.js';
import { ints, node, value } from '../support/model.js';
import { bytesOf } from '../support/models.js';

const net = classifier();
const provider = nodeProvider('cpu');

const dataOf = (count: number, seed?: number): FinetuneOptions['data'] => {
  const { x, labels } = classified(count, seed);
  return (inputs) => labelledArrays({ x }, labels, inputs);
};

const options: FinetuneOptions = {
  ...{ data: dataOf(600), test: dataOf(300, 6), epochs: 3, rate: 0.02, batch: 32, provider },
  session: { threads: 1 },
};

/** The report without what differs between equal runs. */
const timeless = (json: unknown) =>
  JSON.parse(
    JSON.stringify(json, (key, value) =>
      ['created', 'seconds', 'latency', 'conclusion'].includes(key) ? null : value,
    ),
  );

/** Returns the share of the 300 test samples that a model classifies right. */
async function accuracyOf(bytes: Uint8Array): Promise<number> {
  const session = await provider.open(bytes);
  const { x, labels } = classified(300, 6);
  const { data } = (await session.run({ x })).scores ?? { data: [] };
  await session.close();
  const scores = data as Float32Array;
  const right = labels.filter((label, row) => {
    const own = [...scores.subarray(row * CLASSES, (row + 1) * CLASSES)];
    return own.indexOf(Math.max(...own)) === label;
  });
  return right.length / 300;
}

describe('a fine-tuning', async () => {
  const { output, report } = await finetune(net, options);
  const bytes = await output.bytes();

  test('trains both arms, and gives a report that its schema accepts', () => {
    expect(parseFinetuneReport(JSON.parse(JSON.stringify(report)))).toEqual(report);
    expect(report.runs.map(({ arm, seed, epochs }) => [arm, seed, epochs.length])).toEqual([
      ['swapped', 0, 3],
      ['original', 0, 3],
    ]);
    expect(report.data).toEqual({
      ...{ source: 'npz', train: 540, validation: 60, test: 300, testFrom: 'file', classes: CLASSES },
    });
    for (const { test, epochs, before, moved } of report.runs) {
      expect(test.loss).toBeLessThan(report.start.original.loss);
      expect(epochs.at(-1)?.loss).toBeLessThan(epochs[0]?.loss ?? 0);
      expect(before).not.toBeNull();
      expect(moved.map(({ weight }) => weight).sort()).toEqual(['b1', 'b2', 'w1', 'w2']);
      for (const { change } of moved) expect(change).toBeGreaterThan(0);
    }
    expect(report.comparison?.runs).toHaveLength(1);
    expect(report.host.onnxruntime).toMatch(/^\d+\.\d+/);
    expect(report.latency?.ratio).toBeGreaterThan(0);
    expect(report.latency?.exp?.ratio).toBeGreaterThan(0); // the output has the softplus form
    expect(report.units).toEqual([expect.objectContaining({ site: 'act', count: 12 })]);
    expect(report.notes.join()).toContain('trained once');
  });

  test('writes a model like a swap’s, whose accuracy is the report’s', async () => {
    const [before, after] = [await inspect(net), await inspect(bytes)];
    expect([after.opset, after.sites.length, after.mish.length]).toEqual([before.opset, 0, 1]);
    expect(after.history).toContainEqual(expect.objectContaining({ operation: 'finetune', sites: 4 }));
    const session = await provider.open(bytes);
    expect([session.inputs, session.outputs].flat().map(({ name, dims }) => [name, dims])).toEqual([
      ['x', ['N', 4]],
      ['scores', ['N', CLASSES]],
    ]);
    await session.close();
    expect(report.runs[0]?.test.accuracy).toBeCloseTo(await accuracyOf(bytes), 12);
  });

  test.each(everyNth(2, approximations()))(
    'writes the $form form, whose accuracy is the report’s, and trains it again',
    async ({ form, f }) => {
      const few = {
        ...options,
        data: dataOf(160),
        epochs: 1,
        calibrate: false,
        control: false,
        form,
      } as const;
      const first = await finetune(net, few);
      const written = await first.output.bytes();
      const { bound } = FORMS[form];
      expect((await inspect(written)).mish).toMatchObject([{ form, beta: 1, bound }]);
      expect(first.report.form).toBe(form);
      expect(f(0)).toBe(0);
      expect(first.report.runs[0]?.test.accuracy).toBeCloseTo(await accuracyOf(written), 12);
      const again = await finetune(written, { ...few, form: undefined, only: ['mish'], to: 'relu' });
      expect(again.report.sites).toMatchObject([{ kind: 'mish', beta: 1 }]);
    },
  );

  test('gives the same bytes and figures again', async () => {
    const again = await finetune(net, options);
    expect(await again.output.bytes()).toEqual(bytes);
    expect(timeless(again.report)).toEqual(timeless(report));
  });

  test('goes on after a stop in either arm to the same bytes and figures', async () => {
    // In the control, after the repair, and in the swapped arm.
    for (const stopAt of isHeavy ? [5, 1, 2] : [5, 1]) {
      const saved: Uint8Array[] = [];
      const controller = new AbortController();
      const save = async (checkpoint: Uint8Array) => {
        saved.push(checkpoint.slice());
        if (saved.length === stopAt) controller.abort();
      };
      let epochs = 0;
      const stopped = finetune(net, {
        ...{ ...options, checkpoint: { save }, signal: controller.signal },
        onEpoch: () => epochs++,
      });
      await expect(stopped).rejects.toMatchObject({ code: 'aborted' });
      expect([saved.length, epochs]).toEqual([stopAt, stopAt - 1]);
      const works = new Set<string>();
      const resumed = await finetune(net, {
        ...options,
        checkpoint: { resume: saved.at(-1), save: async () => {} },
        onProgress: (work) => works.add(work.replace(/:.*/, '')),
      });
      expect(works).not.toContain('repair');
      expect(await resumed.output.bytes()).toEqual(bytes);
      expect(timeless(resumed.report)).toEqual(timeless(report));
    }
  });

  test('in turns, gives the same bytes and figures, and goes on after a stop', async () => {
    const turns: string[] = [];
    const saved: Uint8Array[] = [];
    const inTurns = { ...options, inTurns: true };
    const whole = await finetune(net, {
      ...inTurns,
      checkpoint: { save: async (checkpoint) => void saved.push(checkpoint.slice()) },
      onEpoch: ({ arm, epoch, before }) => {
        turns.push(`${arm} ${epoch.epoch}`);
        expect(before).toEqual(report.runs.find((run) => run.arm === arm)?.before);
      },
    });
    expect(turns).toEqual([1, 2, 3].flatMap((epoch) => [`swapped ${epoch}`, `original ${epoch}`]));
    expect(await whole.output.bytes()).toEqual(bytes);
    expect(timeless(whole.report)).toEqual(timeless(report));
    for (const [stoppedAt, more] of everyNth(3, [
      [3, { inTurns: false }],
      [1, {}],
      [3, {}],
    ] as const)) {
      const resumed = await finetune(net, {
        ...{ ...inTurns, ...more },
        checkpoint: { resume: saved[stoppedAt], save: async () => {} },
      });
      expect(await resumed.output.bytes()).toEqual(bytes);
      expect(timeless(resumed.report)).toEqual(timeless(report));
    }
  });

  test('in turns and without a repair, gives the same figures, also after a stop', async () => {
    const plain = { ...options, epochs: 2, calibrate: false };
    const { report: expected } = await finetune(net, plain);
    const saved: Uint8Array[] = [];
    const losses: string[] = [];
    const save = async (checkpoint: Uint8Array) => void saved.push(checkpoint.slice());
    const onStep = ({ arm, step, of, loss }: FinetuneStep) => {
      if ((2 * step) % of === 0) losses.push(`${arm} ${loss}`); // at the end of an epoch
    };
    const inTurns = await finetune(net, { ...plain, inTurns: true, checkpoint: { save }, onStep });
    expect(timeless(inTurns.report)).toEqual(timeless(expected));
    const ends = [0, 1].flatMap((at) => expected.runs.map(({ arm, epochs }) => `${arm} ${epochs[at]?.loss}`));
    expect(losses).toEqual(ends);
    const checkpoint = { resume: saved[1], save: async () => {} };
    const resumed = await finetune(net, { ...plain, inTurns: true, checkpoint });
    expect(timeless(resumed.report)).toEqual(timeless(expected));
  });

  test('names a checkpoint that is none', async () => {
    const checkpoint = { resume: Uint8Array.of(1, 2, 3), name: 'junk.checkpoint', save: async () => {} };
    await expect(finetune(net, { ...options, checkpoint })).rejects.toMatchObject({
      ...{ code: 'bad-data', where: 'junk.checkpoint', what: 'this is not a checkpoint of a fine-tuning' },
    });
  });

  test('refuses a checkpoint of other options, other data and another model', async () => {
    const saved: Uint8Array[] = [];
    const save = async (checkpoint: Uint8Array) => void saved.push(checkpoint.slice());
    const short = { ...options, epochs: 1, control: false, calibrate: false };
    await finetune(net, { ...short, checkpoint: { save } });
    const checkpoint = { resume: saved[0], save };
    for (const [model, changed] of [
      [net, { rate: 0.01 }],
      [net, { seeds: 2 }],
      [net, { data: dataOf(500) }],
      [net, { data: dataOf(600, 9) }],
      [net, { test: dataOf(300, 7) }],
      [classifier({ outputs: [value('scores', 1, ['M', CLASSES])] }), {}],
    ] as const) {
      const other = finetune(model, { ...short, ...changed, checkpoint });
      await expect(other).rejects.toMatchObject({
        code: 'bad-usage',
        what: expect.stringContaining('checkpoint'),
      });
    }
  });
});

/** A provider that notes the batches that each training session gets. */
function observed(): { provider: Provider; batches: string[][] } {
  const batches: string[][] = [];
  return {
    batches,
    provider: {
      ...provider,
      async open(model, settings) {
        const session = await provider.open(model, settings);
        const mine: string[] = [];
        const { runInto } = session;
        if (runInto === undefined) return session;
        return {
          ...session,
          runInto(feeds: Tensors, outputs: Tensors) {
            if (mine.length === 0) batches.push(mine);
            const targets = Object.keys(feeds).find((name) => name.endsWith('targets')) ?? '';
            mine.push(JSON.stringify([feeds.x?.data, feeds[targets]?.data]));
            return runInto(feeds, outputs);
          },
        };
      },
    },
  };
}

test('both arms of a seed get the same batches, and the seeds get different ones', async () => {
  const { provider: spy, batches } = observed();
  const { report } = await finetune(net, {
    ...options,
    seeds: 2,
    epochs: 2,
    calibrate: false,
    provider: spy,
  });
  const [swapped0, original0, swapped1, original1, ...others] = batches;
  expect(others).toEqual([]);
  expect(swapped0).toHaveLength(2 * Math.floor(540 / 32));
  expect(original0).toEqual(swapped0);
  expect(original1).toEqual(swapped1);
  expect(swapped1).not.toEqual(swapped0);
  expect(report.comparison?.runs.map(({ seed }) => seed)).toEqual([0, 1]);
  expect(report.start.repaired).toBeNull();
  expect(report.notes.join()).not.toContain('trained once');
});

test('without a control there is no comparison and no claim', async () => {
  const { report } = await finetune(net, { ...options, epochs: 1, control: false, calibrate: false });
  expect(report.runs.map(({ arm }) => arm)).toEqual(['swapped']);
  expect([report.comparison, report.latency]).toEqual([null, null]);
  expect(report.conclusion).toContain('says nothing about Mish');
});

test('the test part is split from the data where it has no data of its own, and the report says so', async () => {
  const { report } = await finetune(net, {
    ...options,
    test: undefined,
    validation: 0,
    epochs: 1,
    calibrate: false,
  });
  expect(report.data).toMatchObject({ train: 540, validation: 0, test: 60, testFrom: 'data' });
  expect(report.runs[0]).toMatchObject({
    before: null,
    epochs: [expect.objectContaining({ validation: null })],
  });
  expect(report.notes.join()).toContain('a part of the data');
});

test('a model that is already swapped is trained as it is', async () => {
  const { output } = await finetune(net, { ...options, epochs: 1, control: false, calibrate: false });
  const { report } = await finetune(await output.bytes(), { ...options, epochs: 1 });
  expect(report.sites).toEqual([]);
  expect(report.comparison).toBeNull();
  expect(report.notes).toContain('no activation was swapped; the model was trained as it is');
});

test('another loss compares losses', async () => {
  const { x } = classified(300);
  const targets = {
    elemType: 'f32',
    dims: [300, CLASSES],
    data: Float32Array.from({ length: 300 * CLASSES }, (_, at) => x.data[at] ?? 0),
  };
  const data: FinetuneOptions['data'] = (inputs) => labelledArrays({ x }, targets, inputs);
  const { report } = await finetune(net, {
    ...options,
    data,
    test: undefined,
    loss: 'mse',
    epochs: 1,
    calibrate: false,
  });
  expect(report.comparison?.measure).toBe('loss');
  expect(report.comparison?.runs[0]?.mcnemar).toBeNull();
  expect(report.data.classes).toBeNull();
  expect(report.start.original.accuracy).toBeNull();
});

test('estimates the time of all trainings once, and reports progress', async () => {
  const estimates: number[] = [];
  const works = new Set<string>();
  await finetune(net, {
    ...options,
    onEstimate: (seconds) => estimates.push(seconds),
    onProgress: (work, share) => {
      works.add(work.replace(/:.*/, ''));
      expect(share).toBeGreaterThanOrEqual(0);
      expect(share).toBeLessThanOrEqual(1);
    },
  });
  expect(estimates).toHaveLength(1);
  expect(estimates[0]).toBeGreaterThan(0);
  expect([...works].sort()).toEqual(['judging', 'repair', 'training', 'training the original']);
});

describe('bad input gives one clear error', () => {
  const given = (x: Partial<Tensors[string]>, labels: ArrayLike<number>): FinetuneOptions['data'] => {
    const { x: good } = classified(100);
    return (inputs) => labelledArrays({ x: { ...good, ...x } }, labels, inputs);
  };
  const labels = Array.from({ length: 100 }, (_, row) => row % CLASSES);
  const one = classified(100).x.data.map((value, at) => (at === 17 ? Number.NaN : value));
  test.each([
    [
      'a label out of range',
      {
        data: given(
          {},
          labels.map((label, row) => (row === 9 ? 7 : label)),
        ),
      },
      'label 7 of sample 9 is outside',
    ],
    ['one class only', { data: given({}, labels.fill.call([...labels], 1)) }, 'all labels are 1'],
    [
      'training samples of one class',
      {
        data: given(
          {},
          labels.map((_, row) => (row === 71 ? 1 : 0)),
        ),
      },
      'all labels are 0 in the training part',
    ],
    ['fewer labels than samples', { data: given({}, labels.slice(1)) }, '99 targets for 100 samples'],
    ['a batch larger than the data', { data: given({}, labels), batch: 500 }, 'a batch of 500 is larger'],
    ['NaN in the data', { data: given({ data: one }, labels) }, 'NaN'],
    ['samples of another shape', { data: given({ dims: [200, 2] }, labels) }, 'shape'],
    ['too few samples', { data: dataOf(2), test: undefined }, 'too few'],
    ['a share of everything', { validation: 1 }, 'share for validation'],
    ['a patience without validation', { validation: 0, patience: 2 }, 'needs a validation part'],
    ['no seed', { seeds: 0 }, 'number of seeds'],
    ['too many seeds', { seeds: 1e9 }, 'number of seeds'],
    ['a weight decay below 0', { optimizer: { kind: 'adam' as const, weightDecay: -1 } }, 'weight decay'],
    ['no samples for the test', { test: dataOf(0) }, 'the test part has no samples'],
    ['a rate of nothing', { rate: -1 }, 'learning rate'],
  ])('%s', async (_, changed, what) => {
    const failed = finetune(net, { ...options, test: undefined, ...changed });
    await expect(failed).rejects.toMatchObject({
      name: 'OnnxMishError',
      code: expect.stringMatching(/^bad-(data|usage)$/),
      what: expect.stringContaining(what),
    });
  });

  test('a divergence names the training', async () => {
    let last = '';
    const failed = finetune(net, {
      ...{ ...options, rate: 1000, optimizer: { kind: 'sgd' }, calibrate: false },
      onStep: ({ arm }) => (last = arm),
    });
    const error = await failed.catch((error: unknown) => error);
    expect(error).toMatchObject({
      code: 'run-failed',
      where: expect.stringContaining(`the training of the ${last} model with seed 0`),
    });
  });

  test('a model without weights', async () => {
    const { node, value, model } = await import('../support/model.js');
    const bare = model({
      nodes: [node('Relu', ['x'], ['scores'])],
      inputs: [value('x', 1, ['N', 4])],
      outputs: [value('scores', 1, ['N', 4])],
    });
    await expect(finetune(bare, options)).rejects.toMatchObject({
      code: 'bad-usage',
      what: expect.stringContaining('no weights'),
    });
  });

  test('an output of integers, where no other has floats', async () => {
    const best = classifier({
      nodes: [
        node('Gemm', ['x', 'w1', 'b1'], ['h']),
        node('Relu', ['h'], ['a']),
        node('ArgMax', ['a'], ['class'], { axis: 1, keepdims: 0 }),
      ],
      outputs: [value('class', 7, ['N'])],
    });
    await expect(finetune(best, options)).rejects.toMatchObject({
      code: 'bad-usage',
      what: "the output 'class' has type i64, and a loss needs floats",
    });
  });
});

test.each([
  ['test', true],
  ['test', false],
  ['validation', false],
] as const)(
  'a %s sample of which the model makes NaN is named before the training, in turns: %s',
  async (part, inTurns) => {
    // 0 / 0 for a sample of zeros, as of an image of one colour that the model standardises.
    const scaled = classifier({
      nodes: [
        node('ReduceL2', ['x'], ['norm'], { axes: [1] }),
        node('Div', ['x', 'norm'], ['unit']),
        node('Gemm', ['unit', 'w1', 'b1'], ['h']),
        node('Relu', ['h'], ['a']),
        node('Gemm', ['a', 'w2', 'b2'], ['scores']),
      ],
      opset: 13,
    });
    const { x, labels } = classified(300);
    const zeroed = x.data.slice();
    zeroed.fill(0, 4 * 33, 4 * 34);
    const withZeros = (inputs: Parameters<FinetuneOptions['data']>[0]) =>
      ({ ...labelledArrays({ x: { ...x, data: zeroed } }, labels, inputs), name: 'zeros.npz' }) as const;
    const begun: string[] = [];
    const failed = finetune(scaled, {
      ...{ ...options, epochs: 1, calibrate: false, inTurns },
      // As validation, all but few samples, so that the zeros are among them.
      ...(part === 'test' ? { test: withZeros } : { data: withZeros, validation: 0.89, batch: 8 }),
      onStep: ({ arm }) => begun.push(arm),
    });
    await expect(failed).rejects.toMatchObject({
      ...{ code: 'bad-data', where: 'zeros.npz', what: `the loss of ${part} sample 33 is NaN` },
    });
    expect(begun).toEqual([]);
  },
);

test('batch normalisation, convolutions and images of models/ are trained', async () => {
  const images = Float32Array.from({ length: 96 * 784 }, (_, at) => Math.abs(Math.sin(at * 0.37)));
  const data: FinetuneOptions['data'] = (inputs) =>
    labelledArrays(
      { images: { elemType: 'f32', dims: [96, 1, 28, 28], data: images } },
      Array.from({ length: 96 }, (_, row) => row % 10),
      inputs,
    );
  const { output, report } = await finetune(bytesOf('models/lenet5.onnx'), {
    ...{ data, epochs: 1, batch: 16, provider, session: { threads: 1 }, augment: ['flip'], calibrate: false },
  });
  expect(report.sites).toHaveLength(4);
  expect((await inspect(await output.bytes())).mish).toHaveLength(4);
});

test('a model in float16 is repaired and trained', async () => {
  const halves = (name: string, dims: readonly number[]) => ({
    ...{ name, dataType: 10, dims: [...dims] },
    int32Data: Array.from({ length: dims.reduce((product, dim) => product * dim, 1) }, (_, at) =>
      toHalf(Math.sin(at + 1)),
    ),
  });
  const half = classifier({
    initializers: [
      halves('w1', [4, 12]),
      halves('b1', [12]),
      halves('w2', [12, CLASSES]),
      halves('b2', [CLASSES]),
    ],
    inputs: [value('x', 10, ['N', 4])],
    outputs: [value('scores', 10, ['N', CLASSES])],
  });
  const { output, report } = await finetune(half, { ...options, epochs: 2 });
  const [, trained] = report.runs.map(({ test }) => test.loss);
  expect(trained).toBeLessThan(report.start.original.loss);
  expect(report.start.repaired).not.toBeNull();
  const session = await provider.open(await output.bytes());
  expect(session.inputs[0]?.elemType).toBe('f16');
  await session.close();
});

test('the original is the teacher of both arms', async () => {
  const short = { ...options, epochs: 2, calibrate: false };
  const alone = await finetune(net, short);
  const taught = await finetune(net, { ...short, teacher: 0.5 });
  for (const arm of ['swapped', 'original']) {
    const [first, second] = [alone, taught].map(({ report }) => report.runs.find((run) => run.arm === arm));
    expect(second?.epochs).toHaveLength(2);
    expect(second?.test.loss).not.toBe(first?.test.loss);
  }
  expect(taught.report.notes.join()).toContain('mixed into the targets');
});

test('few samples are repaired in smaller runs, and too few not at all', async () => {
  const short = { ...options, epochs: 1, batch: 4, validation: 0, control: false };
  // The fewer samples, the more runs a step of the repair has.
  const count = isHeavy ? 12 : 24;
  const few = await finetune(net, { ...short, data: dataOf(count), test: dataOf(count / 3, 6) });
  expect(few.report.start.repaired).not.toBeNull();
  const fixed = classifier({
    inputs: [value('x', 1, [20, 4])],
    outputs: [value('scores', 1, [20, CLASSES])],
  });
  const none = await finetune(fixed, { ...short, batch: 20, data: dataOf(40), test: dataOf(20, 6) });
  expect(none.report.start.repaired).toBeNull();
  expect(none.report.notes.join()).toContain('40 training samples are too few for the repair');
});

test('parts for validation and test may have one class by chance', async () => {
  const { x, labels } = classified(200, 9);
  const of = (rows: readonly number[]): FinetuneOptions['data'] => {
    const data = Float32Array.from(rows.flatMap((row) => [...x.data.subarray(row * 4, row * 4 + 4)]));
    const chosen = rows.map((row) => labels[row] ?? 0);
    return (inputs) => labelledArrays({ x: { ...x, dims: [rows.length, 4], data } }, chosen, inputs);
  };
  const rows = Array.from(labels, (_, row) => row);
  const ones = rows.filter((row) => labels[row] === 1);
  const { report } = await finetune(net, {
    ...{ ...options, data: of(rows), test: of(ones), validation: 0.005, epochs: 1, calibrate: false },
  });
  expect([report.data.validation, report.data.test]).toEqual([1, ones.length]);
});

test('the other direction: Mish becomes ReLU, and the report names it', async () => {
  const short = { ...options, epochs: 1, calibrate: false };
  const { output: mish } = await finetune(net, { ...short, control: false });
  const { output, report } = await finetune(await mish.bytes(), { ...short, to: 'relu' });
  expect(report).toMatchObject({ to: 'relu', sites: [{ kind: 'mish' }], units: [{ count: 12 }] });
  expect(report.conclusion).toContain('ReLU and the original’s activations');
  const inspected = await inspect(await output.bytes());
  expect([inspected.mish.length, inspected.sites.length]).toEqual([0, 1]);
});

test.each([false, true])(
  'a pattern of freeze, include or exclude that matches nothing is told, whatever the others match; in turns: %s',
  async (inTurns) => {
    const told: unknown[] = [];
    await finetune(net, {
      ...{ ...options, inTurns },
      ...{ epochs: 1, calibrate: false, control: false, freeze: ['w1', 'w9', 'b?'], exclude: ['akt*'] },
      onDoubt: ({ text, option }) => told.push([text, option]),
    });
    expect(told.toSorted()).toEqual([
      ["no activation matches 'akt*'", { exclude: null }],
      ["no weight that could be trained matches 'w9'", { freeze: null }],
    ]);
  },
);

test('the choice of an output is told before the training, and noted', async () => {
  const nodes = [
    node('Gemm', ['x', 'w1', 'b1'], ['h']),
    node('Relu', ['h'], ['a']),
    node('Gemm', ['a', 'w2', 'b2'], ['scores']),
  ];
  const outputs = [value('scores', 1, ['N', CLASSES]), value('a', 1, ['N', 12])];
  const told: unknown[] = [];
  const { report } = await finetune(classifier({ nodes, outputs }), {
    ...{ ...options, epochs: 1, calibrate: false, control: false },
    onDoubt: ({ text, option }) => told.push([text, option]),
  });
  const text = "The loss is computed from the output 'scores', the first of floats; the others are 'a'";
  expect(told).toEqual([[text, { head: null }]]);
  expect(report.notes).toContain(text);
});

test('layers that share weights are repaired and trained without copies of them', async () => {
  const nodes = [
    ...[node('Shape', ['w1'], ['shape']), node('Gemm', ['x', 'w1', 'b1'], ['h'])],
    ...[node('Neg', ['h'], ['n']), node('Relu', ['h'], ['a']), node('Relu', ['n'], ['c'])],
    ...[node('Identity', ['w2'], ['again']), node('Gemm', ['a', 'w2', 'b2'], ['s'])],
    ...[node('Gemm', ['c', 'again'], ['t']), node('Sub', ['s', 't'], ['scores'])],
  ];
  const bytes = classifier({ nodes });
  const { output, report } = await finetune(bytes, { ...options, epochs: 1 });
  expect(report.start.repaired).not.toBeNull();
  const [before, after] = [decode(bytes), decode(await output.bytes())];
  const names = ({ graph }: typeof before) => graph?.initializer?.map(({ name }) => name);
  const read = ({ graph }: typeof before) =>
    nodesOf(graph).flatMap(({ opType, input }) => (opType === 'Gemm' ? [input?.slice(1)] : []));
  expect([names(after), read(after)]).toEqual([names(before), read(before)]);
  const shared = report.notes.filter((note) => /shared|twice/.test(note));
  expect(shared).toEqual(["The gradients of shared weights are summed: 'w2'"]);
});

test('where nothing is swapped, the reason is told before the training, and noted', async () => {
  const fused = node(
    'FusedGemm',
    ['x', 'w1', 'b1'],
    ['a'],
    { activation: 'Relu' },
    { domain: 'com.microsoft' },
  );
  const nodes = [fused, node('Gemm', ['a', 'w2', 'b2'], ['scores'])];
  const told: string[] = [];
  const { report } = await finetune(classifier({ nodes, domains: { 'com.microsoft': 1 } }), {
    ...{ ...options, epochs: 1 },
    onDoubt: ({ text }) => told.push(text),
  });
  expect([report.sites, report.comparison]).toEqual([[], null]);
  expect(told).toEqual([expect.stringMatching(/^ONNX Runtime optimised this model.*before that$/)]);
  expect(report.notes).toEqual(expect.arrayContaining(told));
});

test('a trained model without a repair cannot be undone, and the error says why', async () => {
  const { output } = await finetune(net, { ...options, epochs: 1, calibrate: false, control: false });
  expect(await failure(undo(await output.bytes()))).toMatchObject({
    code: 'cannot-undo',
    fix: 'Its weights were calibrated or trained, and the old ones are gone: go back to the original file',
  });
});

test.each([false, true])(
  'a model that couples samples is told of once, and noted once; in turns: %s',
  async (inTurns) => {
    const coupled = classifier({
      nodes: [
        node('Gemm', ['x', 'w1', 'b1'], ['h']),
        node('Relu', ['h'], ['a']),
        node('Gemm', ['a', 'w2', 'b2'], ['rows']),
        node('Constant', [], ['first'], { value: { tensor: ints('', [], [0]) } }),
        node('CumSum', ['rows', 'first'], ['scores']),
      ],
    });
    const told: string[] = [];
    const { report } = await finetune(coupled, {
      ...{ ...options, inTurns, epochs: 1, calibrate: false, control: false },
      onDoubt: ({ text }) => told.push(text),
    });
    const coupling = /^The model gives other outputs to two samples of 'x' in one run than to each alone/;
    expect(told).toEqual([expect.stringMatching(coupling)]);
    expect(report.notes.filter((note) => note.includes('two samples'))).toEqual(told);
  },
);
