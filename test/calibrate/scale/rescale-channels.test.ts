import { describe, expect, test } from 'vitest';
import type { onnx } from '../../../proto/onnx.js';
import { createRandom, normal } from '../../../src/base/random.js';
import { findChannelClasses } from '../../../src/calibrate/scale/channel-classes.js';
import { chooseChannels } from '../../../src/calibrate/scale/choose-channels.js';
import { channelEdits } from '../../../src/calibrate/scale/rescale-channels.js';
import { mish, relu } from '../../../src/mish/reference.js';
import { findSites, inputOf } from '../../../src/mish/sites.js';
import { calibrate } from '../../../src/node/calibrate-files.js';
import { indexGraphs } from '../../../src/onnx/graph-index.js';
import { splice } from '../../../src/onnx/splice.js';
import { readWeight } from '../../../src/onnx/weights.js';
import { modelFromBytes } from '../../../src/providers/loaded-model.js';
import { casesOf } from '../../support/heavy.js';
import { convTensors, positiveVectors, tensorOf, weightsOf } from '../../support/linear-ops.js';
import { ints, type ModelParts, model, node, value } from '../../support/model.js';
import { describeGraph, feedsOf, modelOf, randomGraph } from '../../support/random-graph.js';
import { f32, run } from '../../support/run.js';

/** Gives all channels of all sites that can have one a scale: a power of two, which rounds nothing. */
async function scaled(bytes: Uint8Array, seed: number) {
  const loaded = await modelFromBytes(bytes);
  const { document, openData } = loaded;
  const { sites } = await findSites(document, { only: ['relu', 'leakyrelu'] });
  const classes = await findChannelClasses(document, indexGraphs(document), sites);
  const random = createRandom(seed);
  const scales = new Map<number, Float64Array>();
  const found: string[] = [];
  for (const site of sites) {
    const channelClass = classes.classOf(inputOf(site));
    if (channelClass === undefined) continue;
    found.push(site.node.outputs[0] ?? '');
    const drawn = Float64Array.from({ length: channelClass.size }, () => 2 ** Math.floor(5 * random() - 2));
    if (!scales.has(channelClass.number)) scales.set(channelClass.number, drawn);
  }
  const valuesOf = (weight: Parameters<typeof readWeight>[1]) => readWeight(document, weight, openData);
  const edits = await channelEdits(document, classes, scales, valuesOf);
  return { bytes: await splice(document.source, edits).bytes(), edits: edits.length, found };
}

const COUNT = casesOf(400);

test('a graph whose channels have scales of their own computes the same', async () => {
  let changed = 0;
  for (let seed = 0; seed < COUNT; seed++) {
    const graph = randomGraph(seed, 'webgpu');
    const bytes = modelOf(graph);
    const result = await scaled(bytes, seed);
    if (result.edits === 0) continue;
    changed++;
    const feeds = Object.fromEntries(
      Object.entries(feedsOf(graph)).map(([name, { dims, data }]) => [name, f32([...data], dims)]),
    );
    expect(await run(result.bytes, feeds), describeGraph(graph)).toEqual(await run(bytes, feeds));
  }
  expect(changed).toBeGreaterThan(COUNT / 100);
});

const conv = (x: string, y: string, name: string, group = 1) =>
  node('Conv', [x, `w${name}`, `b${name}`], [y], { pads: [1, 1, 1, 1], ...(group === 1 ? {} : { group }) });
const relu_ = (x: string, y: string) => node('Relu', [x], [y]);
interface Net {
  readonly name: string;
  readonly nodes: onnx.INodeProto[];
  readonly more?: onnx.ITensorProto[];
  readonly parts?: Partial<ModelParts>;
  /** The sites whose channels can have scales. */
  readonly found: readonly string[];
}

const NETS: readonly Net[] = [
  {
    name: 'a residual block, a depthwise and a grouped convolution, and a pool before a flattened dense layer',
    nodes: [
      ...[conv('x', 'h0', '0'), relu_('h0', 'r0'), conv('r0', 'h1', '1'), node('Add', ['h1', 'r0'], ['s'])],
      ...[relu_('s', 'r1'), conv('r1', 'h2', 'depth', 4), relu_('h2', 'r2'), conv('r2', 'h3', 'group', 2)],
      ...[relu_('h3', 'r3'), node('MaxPool', ['r3'], ['p'], { kernel_shape: [3, 3], strides: [3, 3] })],
      ...[node('Flatten', ['p'], ['f']), node('Gemm', ['f', 'wf', 'bf'], ['y'], { transB: 1 })],
    ],
    more: [
      ...[
        tensorOf('wdepth', [4, 1, 3, 3], weightsOf([4, 1, 3, 3], 7)),
        tensorOf('bdepth', [4], weightsOf([4], 8)),
      ],
      ...[
        tensorOf('wgroup', [4, 2, 3, 3], weightsOf([4, 2, 3, 3], 9)),
        tensorOf('bgroup', [4], weightsOf([4], 10)),
      ],
      ...[tensorOf('wf', [3, 16], weightsOf([3, 16], 60)), tensorOf('bf', [3], weightsOf([3], 61))],
    ],
    found: ['r0', 'r1', 'r2', 'r3'],
  },
  {
    name: 'batch normalisations, a gate, constants, a transposed convolution and a mean over the image',
    nodes: [
      ...[
        conv('x', 'h0', '0'),
        node('BatchNormalization', ['h0', 's0', 'o0', 'm0', 'v0'], ['n0']),
        relu_('n0', 'r0'),
      ],
      ...[node('BatchNormalization', ['r0', 's1', 'o1', 'm1', 'v1'], ['n1']), relu_('n1', 'r1')],
      ...[conv('r1', 'g0', '1'), node('Sigmoid', ['g0'], ['g']), node('Mul', ['r1', 'g'], ['z'])],
      ...[node('ConvTranspose', ['z', 'wt', 'bt'], ['h2'], { group: 2 }), node('Add', ['h2', 'k'], ['a'])],
      ...[
        node('Mul', ['a', 'q'], ['c']),
        relu_('c', 'r2'),
        node('ReduceMean', ['r2'], ['p'], { axes: [2, 3], keepdims: 0 }),
      ],
      node('MatMul', ['p', 'wm'], ['y']),
    ],
    more: [
      ...positiveVectors('s0', 'o0', 'm0', 'v0', 's1', 'o1', 'm1', 'v1'),
      ...[tensorOf('wt', [4, 2, 3, 3], weightsOf([4, 2, 3, 3], 70)), tensorOf('bt', [4], weightsOf([4], 71))],
      ...[tensorOf('k', [1, 4, 1, 1], [0.1, -0.2, 0.3, 0]), tensorOf('q', [4, 1, 1], [2, 1, 3, -1])],
      tensorOf('wm', [4, 3], weightsOf([4, 3], 72)),
    ],
    parts: { opset: 13 },
    found: ['r0', 'r1', 'r2'],
  },
  {
    name: 'concatenations, one in another, with a pool, a batch normalisation and a flattened dense layer behind',
    nodes: [
      ...[conv('x', 'h0', '0'), relu_('h0', 'r0'), conv('x', 'h1', '1'), relu_('h1', 'r1')],
      ...[
        node('Concat', ['r0', 'r1'], ['c'], { axis: 1 }),
        node('AveragePool', ['c'], ['p'], { kernel_shape: [1, 1] }),
      ],
      ...[node('BatchNormalization', ['p', 's8', 'o8', 'm8', 'v8'], ['n']), relu_('n', 'r2')],
      ...[node('Conv', ['c', 'w8', 'b2'], ['h3'], { pads: [1, 1, 1, 1] }), relu_('h3', 'r3')],
      ...[node('Concat', ['r3', 'c', 'r2', 'r3'], ['d'], { axis: 1 }), node('Flatten', ['d'], ['f'])],
      node('Gemm', ['f', 'wf'], ['y'], { transB: 1 }),
    ],
    more: [
      ...['s8', 'o8', 'm8', 'v8'].map((name, at) =>
        tensorOf(
          name,
          [8],
          weightsOf([8], 80 + at).map((one) => Math.abs(one) + 0.5),
        ),
      ),
      tensorOf('w8', [4, 8, 3, 3], weightsOf([4, 8, 3, 3], 90)),
      tensorOf('wf', [3, 864], weightsOf([3, 864], 91)),
    ],
    found: ['r0', 'r1', 'r2', 'r3'],
  },
  {
    name: 'concatenations of what is fixed, of other axes, before an activation, twice, and of a tensor with itself',
    nodes: [
      ...[conv('x', 'h0', '0'), relu_('h0', 'r0'), node('Concat', ['r0', 'x'], ['c0'], { axis: 1 })],
      ...[node('Conv', ['c0', 'w8', 'b0'], ['h1'], { pads: [1, 1, 1, 1] }), relu_('h1', 'r1')],
      ...[node('Concat', ['r1', 'r1'], ['c1'], { axis: 2 }), conv('c1', 'h2', '1'), relu_('h2', 'r2')],
      ...[node('Concat', ['r2', 'h2'], ['c2'], { axis: 1 }), relu_('c2', 'r3')],
      ...[node('Conv', ['r3', 'w8', 'b1'], ['h4'], { pads: [1, 1, 1, 1] }), relu_('h4', 'r4')],
      ...[
        node('Concat', ['r4', 'r4'], ['c3'], { axis: 1 }),
        node('Conv', ['c3', 'w88', 'b2'], ['h5'], { pads: [1, 1, 1, 1] }),
        relu_('h5', 'r5'),
      ],
      ...[
        node('Concat', ['r5', 'h4'], ['c4'], { axis: 1 }),
        node('Concat', ['h4', 'r5'], ['c5'], { axis: 1 }),
      ],
      ...[node('Add', ['c4', 'c5'], ['a']), node('Conv', ['a', 'w88', 'b2'], ['y'])],
    ],
    more: [
      tensorOf('w8', [4, 8, 3, 3], weightsOf([4, 8, 3, 3], 90)),
      tensorOf('w88', [4, 8, 3, 3], weightsOf([4, 8, 3, 3], 92)),
    ],
    found: [],
  },
  {
    name: 'operators that mix channels: a concatenation, a transposition, a normalisation over channels',
    nodes: [
      ...[conv('x', 'h0', '0'), relu_('h0', 'r0'), node('Concat', ['r0', 'x'], ['c'], { axis: 1 })],
      ...[node('Slice', ['c', 'from', 'to', 'axis'], ['e']), conv('e', 'h1', '1'), relu_('h1', 'r1')],
      ...[
        node('Transpose', ['r1'], ['t'], { perm: [0, 2, 3, 1] }),
        node('MatMul', ['t', 'wq'], ['u']),
        relu_('u', 'r2'),
      ],
      ...[node('MatMul', ['r2', 'wq2'], ['v']), relu_('v', 'r3'), node('Softmax', ['r3'], ['y'])],
    ],
    more: [
      ...[tensorOf('wq', [4, 4], weightsOf([4, 4], 5)), tensorOf('wq2', [4, 4], weightsOf([4, 4], 6))],
      ...[ints('from', [1], [0]), ints('to', [1], [4]), ints('axis', [1], [1])],
    ],
    found: ['r2'],
  },
  {
    name: 'weights that two layers share, that something else reads, and that are read in two ways',
    nodes: [
      ...[
        node('Neg', ['x'], ['nx']),
        conv('x', 'h0', '0'),
        conv('nx', 'h1', '0'),
        relu_('h0', 'r0'),
        relu_('h1', 'r1'),
      ],
      ...[node('Add', ['r0', 'r1'], ['a']), conv('a', 'h2', '1'), relu_('h2', 'r2'), conv('r2', 'h3', '2')],
      ...[
        node('Abs', ['w2'], ['wa']),
        node('ReduceSum', ['wa'], ['sum'], { keepdims: 0 }),
        node('Mul', ['h3', 'sum'], ['z']),
      ],
      ...[relu_('z', 'r3'), node('GlobalAveragePool', ['r3'], ['p']), node('Flatten', ['p'], ['f'])],
      ...[
        node('Gemm', ['f', 'wd'], ['i']),
        relu_('i', 'r4'),
        node('Gemm', ['r4', 'wd'], ['y'], { transB: 1 }),
      ],
    ],
    more: [tensorOf('wd', [4, 4], weightsOf([4, 4], 5))],
    found: ['r0', 'r1'],
  },
];

describe('the channels of', () => {
  test.each(NETS)('$name', async ({ nodes, more = [], parts = {}, found }) => {
    const bytes = model({
      nodes,
      initializers: [...convTensors('0', '1', '2'), ...more],
      inputs: [value('x', 1, [1, 4, 6, 6])],
      outputs: [value('y', 1)],
      ...parts,
    });
    const feeds = { x: f32(weightsOf([1, 4, 6, 6], 99), [1, 4, 6, 6]) };
    for (const seed of [1, 2, 3]) {
      const result = await scaled(bytes, seed);
      expect(result.found).toEqual(found);
      expect(await run(result.bytes, feeds)).toEqual(await run(bytes, feeds));
    }
  });
});

test.each([
  ['a chain', (at: number) => [`c${at - 1}`, 'r0']],
  ['doublings', (at: number) => [`c${at - 1}`, `c${at - 1}`]],
])('%s of 5,000 concatenations is read in a moment', async (_, parts) => {
  const chain = Array.from({ length: 5_000 }, (_, at) =>
    node('Concat', at === 0 ? ['r0'] : parts(at), [`c${at}`], { axis: 1 }),
  );
  const bytes = model({
    nodes: [conv('x', 'h0', '0'), relu_('h0', 'r0'), ...chain, conv('c4999', 'y', '1')],
    initializers: convTensors('0', '1'),
    inputs: [value('x', 1, [1, 4, 6, 6])],
    outputs: [value('y', 1)],
  });
  const { document } = await modelFromBytes(bytes);
  const { sites } = await findSites(document, {});
  const index = indexGraphs(document);
  const before = performance.now();
  const { classOf } = await findChannelClasses(document, index, sites);
  expect(classOf('r0')).toBeUndefined();
  expect(performance.now() - before).toBeLessThan(5000);
});

/** Normally distributed channels of different widths. */
function drawn(widths: readonly number[], count: number, seed: number) {
  const random = createRandom(seed);
  return Float32Array.from({ length: widths.length * count }, (_, at) => {
    return (widths[Math.floor(at / count)] ?? 1) * normal(random);
  });
}

test.each([
  ['an affine map', true],
  ['a mean', false],
])('scales of channels leave less of what %s cannot undo, for the same share on the bend', (_, isAffine) => {
  for (const seed of [1, 2, 3, 4]) {
    const random = createRandom(seed);
    const widths = Array.from({ length: 24 }, () => 4 ** normal(random));
    const weights = Float64Array.from(widths, (width) => 4 ** normal(random) / width ** 2);
    const none = new Float64Array(weights.length);
    const chosen = chooseChannels({
      gains: isAffine ? weights : none,
      fixedGains: isAffine ? none : weights,
      least: 0.05,
      sites: [
        {
          from: relu,
          to: (x: number) => mish(x),
          maxCurved: 4,
          samples: { values: drawn(widths, 600, seed), count: 600 },
        },
      ],
    });
    // Judged by other samples, with sums of squares in place of moments.
    const values = drawn(widths, 2000, seed + 100);
    const mean = (all: readonly number[]) => all.reduce((sum, one) => sum + one, 0) / all.length;
    const measure = (scaleOf: (channel: number) => number) => {
      let [error, curved] = [0, 0];
      for (const [channel, weight] of weights.entries()) {
        const scale = scaleOf(channel);
        const inputs = [...values.subarray(2000 * channel, 2000 * (channel + 1))];
        const [x, y] = [inputs.map((one) => mish(scale * one) / scale), inputs.map(relu)];
        const [mx, my] = [mean(x), mean(y)];
        const covariance = mean(x.map((one, at) => (one - mx) * ((y[at] ?? 0) - my)));
        const slope = isAffine ? covariance / mean(x.map((one) => (one - mx) ** 2)) : 1;
        error += weight * mean(x.map((one, at) => ((y[at] ?? 0) - my - slope * (one - mx)) ** 2));
        curved += mean(inputs.map((one) => (Math.abs(scale * one) < 4 ? 1 : 0)));
      }
      return { error, share: curved / weights.length };
    };
    const [plain, own] = [measure(() => 1), measure((channel) => chosen?.[channel] ?? 1)];
    expect(own.error).toBeLessThan((isAffine ? 0.8 : 1.001) * plain.error);
    expect(own.share).toBeGreaterThan(plain.share - 0.02);
  }
});

test('calibrate is nearer to a net whose channels have different widths', async () => {
  const random = createRandom(3);
  const widths = Array.from({ length: 16 }, (_, at) => 4 ** ((at % 4) - 2));
  const first = weightsOf([16, 8], 1).map((one, at) => one * (widths[Math.floor(at / 8)] ?? 1));
  const second = weightsOf([8, 16], 2).map((one, at) => one / (widths[at % 16] ?? 1));
  const bytes = model({
    nodes: [
      node('Gemm', ['x', 'w1'], ['h'], { transB: 1 }),
      relu_('h', 'r'),
      node('Gemm', ['r', 'w2'], ['y'], { transB: 1 }),
    ],
    initializers: [tensorOf('w1', [16, 8], first), tensorOf('w2', [8, 16], second)],
    inputs: [value('x', 1, ['N', 8])],
    outputs: [value('y', 1, ['N', 8])],
  });
  const feeds = Array.from({ length: 40 }, () => {
    const data = Float32Array.from({ length: 16 * 8 }, () => normal(random));
    return { x: { elemType: 'f32', dims: [16, 8], data } };
  });
  const { report } = await calibrate(bytes, { data: () => ({ source: 'npz', feeds }), steps: 0 });
  const [{ sqnr } = {}] = report.calibrated.drift;
  expect(sqnr).toBeGreaterThan(20);
  expect(report.curved?.folded[0]?.channels?.[1]).toBeGreaterThan(2 * (report.sites[0]?.beta ?? 0));
  expect(report.sites[0]?.bends).toBeGreaterThan(0.73);
  expect(report.beta).toBeNull();
});
