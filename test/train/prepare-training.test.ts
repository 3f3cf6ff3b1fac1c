import { describe, expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { withModel } from '../../src/node/load-model.js';
import { indexGraphs } from '../../src/onnx/graph-index.js';
import { inferenceEdits } from '../../src/onnx/inference-edits.js';
import { scan } from '../../src/onnx/scan.js';
import { splice } from '../../src/onnx/splice.js';
import { readWeight, type Weight, weightOf } from '../../src/onnx/weights.js';
import { type EditableModel, modelFromBytes } from '../../src/providers/loaded-model.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import type { Tensors } from '../../src/providers/tensor.js';
import { graphOptimizer } from '../../src/train/graph-optimizers.js';
import type { LossName } from '../../src/train/losses.js';
import { prepareTraining, type TrainingCopyOptions } from '../../src/train/prepare-training.js';
import { floats, halves, ints, model, node, value } from '../support/model.js';
import { openTraining, wave } from '../support/training.js';

const provider = nodeProvider('cpu');
const optimizer = graphOptimizer({ kind: 'sgd' });
const x = { elemType: 'f32', dims: [6, 3], data: wave(18, 0.9) };
const W = [...wave(6, 0.4)];
const B = [0.1, -0.1];
const [w, b] = [floats('w', [3, 2], W), floats('b', [2], B)];
const inputs = [value('x', 1, ['N', 3])];
const outputs = [value('y', 1, ['N', 2])];
const gemm = node('Gemm', ['x', 'w', 'b'], ['h']);
const tanh = node('Tanh', ['h'], ['y']);
/** The net that the other spellings of a net are held against. */
const plain = model({ nodes: [gemm, tanh], initializers: [w, b], inputs, outputs });

const run = (given: EditableModel, feeds: Tensors): Promise<Tensors> =>
  given.withEdited(splice(given.document.source, []), async (copy) => {
    const session = await provider.open(copy);
    const found = await session.run(feeds);
    await session.close();
    return found;
  });
const yOf = async (given: EditableModel, feeds: Tensors) =>
  Array.from((await run(given, feeds)).y?.data as Float32Array);

async function prepared(bytes: Uint8Array, more: Partial<TrainingCopyOptions> = {}) {
  const original = await modelFromBytes(bytes);
  const options = { provider, output: 'y', loss: 'mse' as LossName, feeds: { x }, ...more };
  return { ...(await prepareTraining(original, options)), options };
}

/** Takes steps on a prepared copy, and carries its weights back to the original. */
async function train(bytes: Uint8Array, more: Partial<TrainingCopyOptions> = {}) {
  const found = await prepared(bytes, more);
  const { original, weights, options, edits } = found;
  const { output, loss, feeds } = options;
  const { stepper, step, session } = await openTraining(found.model, feeds, provider, {
    ...{ output, loss, optimizer, weights },
  });
  const targets = wave(
    step.targets.dims.reduce((product, dim) => product * dim, 1),
    1.7,
  ).map(Math.abs);
  const losses: number[] = [];
  for (let turn = 0; turn < 4; turn++) losses.push((await stepper.step(feeds, targets, 0.3)).loss);
  await session.close();
  const state = stepper.state();
  const trained = await original.edited(splice(original.document.source, await edits(state)));
  return { ...found, losses, state, trained, step, codes: found.remarks.map(({ code }) => code) };
}

const expectClose = (found: readonly number[], expected: readonly number[], digits = 5) => {
  expect(found).toHaveLength(expected.length);
  for (const [at, value] of expected.entries()) expect(found[at]).toBeCloseTo(value, digits);
};

const reference = train(plain);

test('a model that lacks nothing is its own copy', async () => {
  const { model: copy, original, remarks, batch, weights } = await prepared(plain);
  expect(copy).toBe(original);
  expect([remarks, batch, weights.map(({ name }) => name)]).toEqual([[], undefined, ['w', 'b']]);
});

/** Other spellings of the plain net, with the remark that each gets. */
const SPELLINGS: Record<string, [bytes: Uint8Array, ...codes: string[]]> = {
  'weights as constants': [
    model({
      nodes: [
        node('Constant', [], ['w'], { value: { tensor: w } }),
        node('Constant', [], ['b'], { value: { tensor: b } }),
        ...[gemm, tanh],
      ],
      ...{ inputs, outputs },
    }),
  ],
  'opset 9': [model({ nodes: [gemm, tanh], initializers: [w, b], inputs, outputs, opset: 9 })],
  'opset 11': [model({ nodes: [gemm, tanh], initializers: [w, b], inputs, outputs, opset: 11 })],
  'a weight of float16 behind a cast': [
    model({
      nodes: [node('Cast', ['half'], ['b'], { to: 1 }), gemm, tanh],
      initializers: [w, halves('half', [2], B)],
      ...{ inputs, outputs },
    }),
    'as-float32',
  ],
  'weights behind other nodes': [
    model({
      nodes: [
        node('Reshape', ['flat', 'shape'], ['narrow']),
        node('Transpose', ['narrow'], ['turned']),
        node('Identity', ['turned'], ['w']),
        node('Cast', ['wide'], ['b'], { to: 1 }),
        ...[gemm, tanh],
      ],
      initializers: [
        floats(
          'flat',
          [6],
          [0, 2, 4, 1, 3, 5].map((at) => W[at] ?? 0),
        ),
        ints('shape', [2], [2, 3]),
        floats('wide', [2], B),
      ],
      ...{ inputs, outputs },
    }),
  ],
  'a function': [
    model({
      nodes: [node('Layer', ['x', 'w'], ['y'], {}, { domain: 'local' })],
      initializers: [w],
      ...{ inputs, outputs, domains: { local: 1 } },
      functions: [
        {
          ...{ name: 'Layer', domain: 'local', input: ['a', 'm'], output: ['out'] },
          opsetImport: [{ domain: '', version: 18 }],
          node: [
            node('Constant', [], ['c'], { value: { tensor: b } }),
            node('Gemm', ['a', 'm', 'c'], ['mid']),
            node('Tanh', ['mid'], ['out']),
          ],
        },
      ],
    }),
    'functions-inlined',
  ],
  'a branch with a constant condition': [
    model({
      nodes: [
        node('If', ['yes'], ['y'], {
          then_branch: {
            graph: graphOf('then', [node('Gemm', ['x', 'w', 'b'], ['h']), node('Tanh', ['h'], ['t'])], 't', [
              b,
            ]),
          },
          else_branch: { graph: graphOf('else', [node('Gemm', ['x', 'w'], ['e'])], 'e') },
        }),
      ],
      initializers: [w, { name: 'yes', dataType: 9, dims: [], int32Data: [1] }],
      ...{ inputs, outputs },
    }),
    'branches-inlined',
  ],
  // As PyTorch's exporter writes squeeze.
  'a branch that the shapes choose': [
    model({
      nodes: [
        node('Shape', ['x'], ['shape']),
        node('Gather', ['shape', 'axis'], ['size']),
        node('Equal', ['size', 'three'], ['is_three']),
        node('If', ['is_three'], ['y'], {
          then_branch: {
            graph: graphOf('then', [node('Gemm', ['x', 'w', 'b'], ['h']), node('Tanh', ['h'], ['t'])], 't', [
              b,
            ]),
          },
          else_branch: { graph: graphOf('else', [node('Gemm', ['x', 'w'], ['e'])], 'e') },
        }),
      ],
      initializers: [w, ints('axis', [], [1]), ints('three', [], [3])],
      ...{ inputs, outputs },
    }),
    'branches-inlined',
  ],
  'a branch that the data choose': [
    model({
      nodes: [
        node('ReduceSum', ['x'], ['sum'], { keepdims: 0 }),
        node('Less', ['sum', 'limit'], ['is_less']),
        node('Gemm', ['x', 'w', 'b'], ['h']),
        node('If', ['is_less'], ['y'], {
          then_branch: {
            graph: graphOf(
              'then',
              [node('Neg', ['h'], ['n']), node('Tanh', ['n'], ['t']), node('Neg', ['t'], ['a'])],
              'a',
            ),
          },
          else_branch: { graph: graphOf('else', [node('Tanh', ['h'], ['e'])], 'e') },
        }),
      ],
      initializers: [w, b, floats('limit', [], [0.1])],
      ...{ inputs, outputs },
    }),
    'branches-inlined',
  ],
  'a dropout that is never in training mode': [
    model({
      nodes: [node('Dropout', ['x', '', 'no'], ['d']), node('Gemm', ['d', 'w', 'b'], ['h']), tanh],
      initializers: [w, b, { name: 'no', dataType: 9, dims: [], int32Data: [0] }],
      ...{ inputs, outputs },
    }),
  ],
  'initializers that are inputs': [
    model({
      nodes: [gemm, tanh],
      initializers: [w, b],
      ...{ inputs: [...inputs, value('w', 1, [3, 2]), value('b', 1, [2])], outputs, ir: 3, opset: 8 },
    }),
    'opset-raised',
  ],
  'dropout in training mode': [
    model({
      nodes: [node('Dropout', ['x', '', 'yes'], ['d']), node('Gemm', ['d', 'w', 'b'], ['h']), tanh],
      initializers: [w, b, { name: 'yes', dataType: 9, dims: [], int32Data: [1] }],
      ...{ inputs, outputs },
    }),
    'inference-mode',
  ],
  'a fixed batch': [
    model({
      nodes: [node('Reshape', ['x', 'shape'], ['flat']), node('Gemm', ['flat', 'w', 'b'], ['h']), tanh],
      initializers: [w, b, ints('shape', [2], [1, -1])],
      ...{ inputs: [value('x', 1, [1, 3])], outputs: [value('y', 1, [1, 2])] },
    }),
    'batch-freed',
  ],
  'a fixed batch of more than half of the samples': [
    model({
      nodes: [node('Reshape', ['x', 'shape'], ['flat']), node('Gemm', ['flat', 'w', 'b'], ['h']), tanh],
      initializers: [w, b, ints('shape', [2], [4, -1])],
      ...{ inputs: [value('x', 1, [4, 3])], outputs: [value('y', 1, [4, 2])] },
    }),
    'batch-freed',
  ],
  'a fixed batch in a whole shape': [
    model({
      nodes: [
        node('Reshape', ['x', 'shape'], ['wide']),
        node('Flatten', ['wide'], ['flat']),
        node('Gemm', ['flat', 'w', 'b'], ['h']),
        tanh,
      ],
      initializers: [w, b, ints('shape', [3], [2, 3, 1])],
      ...{ inputs: [value('x', 1, [2, 3])], outputs: [value('y', 1, [2, 2])] },
    }),
    'batch-freed',
  ],
};

function graphOf(
  name: string,
  nodes: onnx.INodeProto[],
  output: string,
  initializer: onnx.ITensorProto[] = [],
): onnx.IGraphProto {
  return { name, node: nodes, output: [value(output, 1)], initializer };
}

describe('another spelling of a net trains to the same losses and weights', () => {
  test.each(Object.entries(SPELLINGS))('%s', async (_, [bytes, ...codes]) => {
    const [expected, found] = [await reference, await train(bytes)];
    const digits = codes.includes('as-float32') ? 3 : 5;
    expectClose(found.losses, expected.losses, digits);
    expect(found.codes).toEqual(codes);
    const { batch } = found;
    expect(batch).toBeUndefined();
    if (codes.includes('inference-mode'))
      expectClose([...(found.state.get('w') ?? [])], [...(expected.state.get('w') ?? [])]);
    const fixed = found.original.document.graph.inputs.find(({ name }) => name === 'x')?.dims?.[0];
    const samples = typeof fixed === 'number' ? fixed : 6;
    const feeds = { x: { ...x, dims: [samples, 3], data: x.data.slice(0, 3 * samples) } };
    const before = await yOf(found.original, feeds);
    expectClose(await yOf(found.trained, feeds), await yOf(expected.trained, feeds), digits);
    // Dropout in training mode drops elements at random; the result does not.
    if (!codes.includes('inference-mode')) expect(await yOf(found.original, feeds)).toEqual(before);
  });
});

/** A net with a node in training mode, and the options of its opset. */
const IN_TRAINING: Record<string, Parameters<typeof model>[0]> = {
  BatchNormalization: {
    nodes: [
      node(
        'BatchNormalization',
        ['x', 's', 't', 'm', 'v'],
        ['n', 'nm', 'nv'],
        { training_mode: 1, momentum: { f: 0.8 } },
        { name: 'norm' },
      ),
    ],
    opset: 15,
  },
  ...Object.fromEntries(
    [9, 13].map((opset) => [
      `BatchNormalization of opset ${opset}`,
      {
        nodes: [
          node(
            'BatchNormalization',
            ['x', 's', 't', 'm', 'v'],
            ['n', 'nm', 'nv', 'om', 'ov'],
            {},
            { name: 'norm' },
          ),
        ],
        opset,
      },
    ]),
  ),
  'Dropout of opset 13': { nodes: [node('Dropout', ['x', 'share', 'yes'], ['n', 'mask'])], opset: 13 },
};

test.each(Object.entries(IN_TRAINING))('the result computes as in inference: %s', async (_, net) => {
  const wide = [1, 2, 3];
  const bytes = model({
    ...net,
    nodes: [...net.nodes, node('Gemm', ['n', 'w', 'b'], ['h']), tanh],
    initializers: [
      ...[
        w,
        b,
        floats('s', [3], wide),
        floats('t', [3], wide),
        floats('m', [3], wide),
        floats('v', [3], wide),
      ],
      ...[floats('share', [], [0.5]), { name: 'yes', dataType: 9, dims: [], int32Data: [1] }],
    ],
    ...{ inputs, outputs },
  });
  const { edits, model: copy, original, remarks } = await prepared(bytes);
  expect(remarks.map(({ code }) => code)).toContain('inference-mode');
  const result = await original.edited(splice(original.document.source, await edits(new Map())));
  const whole = await yOf(result, { x });
  expectClose(whole, await yOf(copy, { x }));
  const row = { ...x, dims: [1, 3], data: x.data.slice(0, 3) };
  expectClose(await yOf(result, { x: row }), whole.slice(0, 2));
  const [first] = result.document.graph.nodes;
  expect(first?.name).toBe(original.document.graph.nodes[0]?.name);
  expect(first?.outputs).toEqual(['n']);
});

test('the result of a Dropout before opset 7 says that it is no training', async () => {
  for (const attributes of [{ ratio: { f: 0.25 } }, { is_test: 0, ratio: { f: 0.25 } }]) {
    const document = await scan(
      model({
        nodes: [node('Dropout', ['x'], ['n', 'mask'], attributes)],
        outputs: [value('n', 1)],
        opset: 6,
      }),
    );
    const result = await scan(await splice(document.source, await inferenceEdits(document)).bytes());
    const [{ attributes: found, outputs: kept } = { attributes: [], outputs: [] }] = result.graph.nodes;
    expect(found.map(({ name, i, f }) => [name, i, f])).toEqual([
      ['ratio', 0, 0.25],
      ['is_test', 1, 0],
    ]);
    expect(kept).toEqual(['n']);
    expect(await inferenceEdits(result)).toEqual([]);
  }
});

test('a model of float16 trains in float32, and its weights stay float16', async () => {
  const bytes = model({
    nodes: [gemm, tanh],
    initializers: [halves('w', [3, 2], W), halves('b', [2], B)],
    inputs: [value('x', 10, ['N', 3])],
    outputs: [value('y', 10, ['N', 2])],
  });
  const [expected, found] = [await reference, await train(bytes)];
  expectClose(found.losses, expected.losses, 3);
  expect(found.codes).toEqual(['as-float32']);
  const { initializers, inputs: given } = found.trained.document.graph;
  expect([initializers.get('w')?.elemType, given[0]?.elemType]).toEqual([10, 10]);
  const { edits } = found;
  await expect(edits(new Map([['b', [1e5, 0]]]))).rejects.toMatchObject({ code: 'run-failed' });
});

test('a model with external data is prepared, and its edits fit the original', async () => {
  await withModel('models/vgg-leaky.onnx', async (loaded) => {
    const images = { elemType: 'f32', dims: [2, 1, 28, 28], data: wave(1568, 0.7) };
    const options = { provider, output: 'scores', loss: 'cross-entropy', feeds: { images } } as const;
    const { model: copy, weights, remarks, edits, index } = await prepareTraining(loaded, options);
    expect([copy, weights.length, remarks.map(({ code }) => code)]).toEqual([loaded, 16, ['no-batch-norm']]);
    const values = new Map<string, Float64Array>();
    for (const weight of weights)
      values.set(weight.name, await readWeight(copy.document, weight, copy.openData));
    const again = await loaded.edited(splice(loaded.document.source, await edits(values)));
    for (const { name } of weights) {
      const weight = weightOf(indexGraphs(again.document), again.document.graph, name) as Weight;
      expect(await readWeight(again.document, weight)).toEqual(values.get(name));
    }
    expect(index.count).toBeGreaterThan(weights.length);
  });
});

test.each([2, 4, 5])('a batch of %d that is part of the computation stays fixed', async (size) => {
  const bytes = model({
    nodes: [gemm, node('Softmax', ['h'], ['y'], { axis: 0 })],
    initializers: [w, b],
    inputs: [value('x', 1, [size, 3])],
    outputs: [value('y', 1, [size, 2])],
  });
  const { batch, remarks } = await prepared(bytes);
  expect([batch, remarks.map(({ code }) => code)]).toEqual([size, ['batch-fixed']]);
});

test.each([5, 8, 13])(
  'a fixed batch of %d with a branch that the shapes choose is prepared with 6 samples',
  async (size) => {
    const bytes = model({
      nodes: [
        gemm,
        node('Shape', ['h'], ['shape']),
        node('Gather', ['shape', 'axis'], ['size']),
        node('Equal', ['size', 'two'], ['is_two']),
        node('If', ['is_two'], ['y'], {
          then_branch: { graph: graphOf('then', [node('Softmax', ['h'], ['t'], { axis: 0 })], 't') },
          else_branch: { graph: graphOf('else', [node('Tanh', ['h'], ['e'])], 'e') },
        }),
      ],
      initializers: [w, b, ints('axis', [], [1]), ints('two', [], [2])],
      inputs: [value('x', 1, [size, 3])],
      outputs: [value('y', 1, [size, 2])],
    });
    const { batch, remarks } = await prepared(bytes);
    expect([batch, remarks.map(({ code }) => code)]).toEqual([size, ['batch-fixed', 'branches-inlined']]);
  },
);

test('a quantised model is refused with the node', async () => {
  const bytes = model({
    nodes: [
      gemm,
      node('QuantizeLinear', ['h', 's'], ['q'], {}, { name: 'quantise_h' }),
      node('DequantizeLinear', ['q', 's'], ['y']),
    ],
    initializers: [w, b, floats('s', [], [0.1])],
    ...{ inputs, outputs },
  });
  await expect(prepared(bytes)).rejects.toMatchObject({
    code: 'bad-usage',
    what: expect.stringContaining('quantise_h'),
  });
});

test('a model without weights is refused', async () => {
  const bytes = model({ nodes: [node('Relu', ['x'], ['y'])], inputs, outputs });
  await expect(prepared(bytes)).rejects.toMatchObject({ code: 'bad-usage' });
});

test('a final activation that the loss includes is told', async () => {
  const bytes = model({
    nodes: [gemm, node('Softmax', ['h'], ['s']), node('Identity', ['s'], ['y'])],
    initializers: [w, b],
    ...{ inputs, outputs },
  });
  const { codes } = await train(bytes, { loss: 'cross-entropy' });
  expect(codes).toEqual(['activation-omitted']);
});

test('a final activation whose shape changes behind it is omitted as well', async () => {
  const bytes = model({
    nodes: [gemm, node('Softmax', ['h'], ['s']), node('Reshape', ['s', 'shape'], ['y'])],
    initializers: [w, b, ints('shape', [2], [-1, 2])],
    ...{ inputs, outputs },
  });
  const { codes } = await train(bytes, { loss: 'cross-entropy' });
  expect(codes).toEqual(['activation-omitted']);
});

test('functions that call themselves or explode end in an error', async () => {
  const call = (name: string, from: string, to: string) => node(name, [from], [to], {}, { domain: 'local' });
  const made = (name: string, ...nodes: onnx.INodeProto[]): onnx.IFunctionProto => ({
    ...{ name, domain: 'local', input: ['a'], output: ['z'], node: nodes },
    opsetImport: [
      { domain: '', version: 18 },
      { domain: 'local', version: 1 },
    ],
  });
  const endless = [made('F', call('F', 'a', 'z'))];
  const wide = Array.from({ length: 20 }, (_, level) =>
    made(
      `F${level || ''}`,
      ...Array.from({ length: 10 }, (_, at) =>
        level < 19
          ? call(`F${level + 1}`, at ? `v${at}` : 'a', at < 9 ? `v${at + 1}` : 'z')
          : node('Relu', ['a'], [`v${at}`]),
      ),
    ),
  );
  for (const functions of [endless, wide]) {
    const nodes = [gemm, call('F', 'h', 'y')];
    const bytes = model({ nodes, initializers: [w, b], inputs, outputs, functions, domains: { local: 1 } });
    await expect(prepared(bytes)).rejects.toMatchObject({ code: 'malformed' });
  }
});
