import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { DataType } from '../../src/onnx/types.js';
import { swapped } from '../support/graph.js';
import { floats, ints, model, node, value } from '../support/model.js';

const LOWEST = { [DataType.UINT8]: 0, [DataType.INT8]: -128 } as const;

/** Scale and zero point of a tensor, the zero point counted from the lowest integer. */
interface Steps {
  readonly scale: number;
  readonly zero: number;
}

interface Layer {
  readonly opType: string;
  readonly elemType: keyof typeof LOWEST;
  readonly inputs: readonly [Steps, Steps];
  readonly output: Steps;
}

/** Returns a layer of two quantised tensors, whose result is quantised, and nodes after it. */
function layerModel(
  { opType, elemType, inputs: [x, z], output }: Layer,
  more: readonly onnx.INodeProto[] = [],
  outputs: readonly string[] = [],
  names = ['x_d', 'z_d'],
  tensors: readonly onnx.ITensorProto[] = [],
) {
  const pair = (from: string, side: string) => [
    node('QuantizeLinear', [from, `s_${side}`, `z_${side}`], [`${from}_q`], {}, { name: `${from}_Q` }),
    node('DequantizeLinear', [`${from}_q`, `s_${side}`, `z_${side}`], [`${from}_d`]),
  ];
  const constants = Object.entries({ x, z, l: output }).flatMap(([side, { scale, zero }]) => [
    floats(`s_${side}`, [], [scale]),
    {
      ...{ name: `z_${side}`, dataType: elemType, dims: [] },
      rawData: new Uint8Array([(LOWEST[elemType] + zero) & 255]),
    },
  ]);
  return model({
    nodes: [
      ...[...pair('x', 'x'), ...pair('z', 'z'), node(opType, names, ['l'], {}, { name: 'layer' })],
      ...[...pair('l', 'l'), node('Tanh', ['l_d'], ['y']), ...more],
    ],
    opset: 13,
    inputs: [value('x', 1, [4, 4]), value('z', 1, [4, 4])],
    outputs: ['y', ...outputs].map((name) => value(name, name === 'l_q' ? elemType : 1, [4, 4])),
    initializers: [
      ...constants,
      floats('s_six', [], [6 / 255]),
      floats('float', [4, 4], Array(16).fill(-1)),
      ...tensors,
    ],
  });
}

const steps = fc.record({
  scale: fc.double({ min: 0.01, max: 0.1, noNaN: true }).map(Math.fround),
  zero: fc.constantFrom(0, 0, 1, 100),
});
const layers: fc.Arbitrary<Layer> = fc.record({
  opType: fc.constantFrom('Add', 'Sum', 'MatMul', 'Mul'),
  elemType: fc.constantFrom(DataType.UINT8, DataType.INT8),
  inputs: fc.tuple(steps, steps),
  output: fc.record({
    scale: fc
      .constantFrom(
        0.03,
        ...[6, 1, 255].flatMap((bound) => [1, 1.0005, 1.01].map((more) => (bound * more) / 255)),
      )
      .map(Math.fround),
    zero: fc.constantFrom(0, 0, 0, 2),
  }),
});

test('a quantiser that cuts negative values off is a site, or ReLU6 or a clamp if it cuts at 6, 1 or 255 as well', async () => {
  const met = new Set<string>();
  await fc.assert(
    fc.asyncProperty(layers, async (layer) => {
      const { opType, inputs, output } = layer;
      const { report } = await swapped(layerModel(layer), { int8: 'exact' });
      const isNegative = opType === 'MatMul' || inputs.some(({ zero }) => zero > 0);
      const isRelu = output.zero === 0 && isNegative;
      const bound = [6, 1, 255].find((one) => Math.abs((output.scale * 255) / one - 1) < 0.0007);
      const kind = !isRelu ? 'none' : bound === undefined ? 'relu' : 'clamp';
      met.add(`${opType} ${kind}`);
      expect(report.sites.map(({ node: name, doubt }) => [name, doubt])).toEqual(
        kind === 'relu' ? [['l_Q', 'no Relu node, but l_Q clips negative values as ReLU does']] : [],
      );
      expect(report.skipped.map(({ node: name, kind: one, reason }) => [name, one, reason])).toEqual(
        kind === 'clamp' ? [['l_Q', bound === 6 ? 'relu6' : 'relu', 'clamp']] : [],
      );
    }),
    { seed: 2, numRuns: 200 },
  );
  expect(met.size).toBe(12);
});

/** How a model holds the number that it adds. */
const HELD = ['a float', 'integers', 'a quantised constant'] as const;

const gates = fc.record({
  shift: fc.constantFrom(3, 0.5, 2, 4),
  share: fc.constantFrom(0.4, 0.8, 1, 1.2),
  held: fc.constantFrom(...HELD),
  isFirst: fc.boolean(),
});

test('a quantiser that cuts off negative values of x + 3, as far as 6, is a part of HardSwish', async () => {
  const met = new Set<string>();
  await fc.assert(
    fc.asyncProperty(gates, async ({ shift, share, held, isFirst }) => {
      const scale = shift / 100;
      const added = {
        'a float': [],
        integers: [node('DequantizeLinear', ['c_i', 's_c', 'z_c'], ['c_d'])],
        'a quantised constant': [
          node('QuantizeLinear', ['c', 's_c', 'z_c'], ['c_q']),
          node('DequantizeLinear', ['c_q', 's_c', 'z_c'], ['c_d']),
        ],
      }[held];
      const number = held === 'a float' ? 'c' : 'c_d';
      const bytes = (name: string, integer: number) => ({
        ...{ name, dataType: DataType.UINT8, dims: [], rawData: new Uint8Array([integer]) },
      });
      const source = model({
        nodes: [
          node('QuantizeLinear', ['x', 's_x', 'z_x'], ['x_q']),
          node('DequantizeLinear', ['x_q', 's_x', 'z_x'], ['x_d']),
          ...added,
          node('Add', isFirst ? [number, 'x_d'] : ['x_d', number], ['l'], {}, { name: 'layer' }),
          node('QuantizeLinear', ['l', 's_l', 'z_l'], ['l_q'], {}, { name: 'l_Q' }),
          node('DequantizeLinear', ['l_q', 's_l', 'z_l'], ['l_d']),
          node('Mul', ['x_d', 'l_d'], ['y']),
        ],
        opset: 13,
        inputs: [value('x', 1, [4, 4])],
        outputs: [value('y', 1, [4, 4])],
        initializers: [
          ...[floats('s_x', [], [0.05]), bytes('z_x', 128), floats('c', [], [shift])],
          ...[floats('s_c', [], [scale]), bytes('z_c', 120), bytes('c_i', 220)],
          ...[floats('s_l', [], [(2 * share * shift) / 255]), bytes('z_l', 0)],
        ],
      });
      const { report } = await swapped(source, { int8: 'exact' });
      const isGate = (shift === 3 || shift === 0.5) && share <= 1;
      met.add(`${held} ${isGate}`);
      // A float before the quantised operand is no layer after which a quantiser removes a ReLU.
      const isLayer = !(isFirst && held === 'a float');
      expect(report.sites.map(({ node: name }) => name)).toEqual(isLayer && !isGate ? ['l_Q'] : []);
      const gate = { node: 'l_Q', reason: 'clamp', kind: shift === 3 ? 'relu6' : 'relu' };
      const why = `layer adds ${shift} before it, as HardSigmoid and HardSwish do`;
      expect(report.skipped).toMatchObject(isLayer && isGate ? [{ ...gate, why }] : []);
    }),
    { seed: 3, numRuns: 150 },
  );
  expect(met.size).toBe(6);
});

const joins = fc.record({
  opType: fc.constantFrom('Concat', 'Add', 'Mul'),
  held: fc.constantFrom('integers', 'a quantised constant', 'a filled shape', 'a tensor'),
  number: fc.constantFrom(0, 2, -2),
});

test('a quantiser behind ReLU and a constant is a site only where the constant may make the values negative', async () => {
  const met = new Set<string>();
  await fc.assert(
    fc.asyncProperty(joins, async ({ opType, held, number }) => {
      // What joins is written as ONNX Runtime's quantiser does: signed, with the scale 1 for zeros.
      const [scale, dims] = [number === 0 ? 1 : 2 / 127, opType === 'Concat' ? [4, 1] : [1, 1]];
      const bytes = (name: string, integer: number, of: readonly number[] = []) => ({
        ...{ name, dataType: DataType.INT8, dims: [...of] },
        rawData: new Uint8Array(of.reduce((a, b) => a * b, 1)).fill(integer & 255),
      });
      const isTensor = held === 'a tensor' || (held === 'integers' && opType === 'Concat');
      const size = held === 'a tensor' ? [4, 4] : dims;
      const quantise = node('QuantizeLinear', ['c', 's_c', 'z_c'], ['c_q']);
      const fill = node('ConstantOfShape', ['shape'], ['c'], {
        value: { tensor: floats('', [1], [number]) },
      });
      const made =
        { 'a quantised constant': [quantise], 'a filled shape': [fill, quantise] }[held as string] ?? [];
      const source = model({
        nodes: [
          ...made,
          node('DequantizeLinear', [made.length > 0 ? 'c_q' : 'c_i', 's_c', 'z_c'], ['c_d']),
          node('QuantizeLinear', ['x', 's_x', 'z_0'], ['x_q']),
          node('DequantizeLinear', ['x_q', 's_x', 'z_0'], ['x_d']),
          node('Sub', ['x_d', 'x_d'], ['r']),
          node('QuantizeLinear', ['r', 's_r', 'z_r'], ['r_q'], {}, { name: 'r_Q' }),
          node('DequantizeLinear', ['r_q', 's_r', 'z_r'], ['r_d']),
          node(opType, ['r_d', 'c_d'], ['l'], opType === 'Concat' ? { axis: 1 } : {}),
          node('QuantizeLinear', ['l', 's_l', 'z_r'], ['l_q'], {}, { name: 'l_Q' }),
          node('DequantizeLinear', ['l_q', 's_l', 'z_r'], ['l_d']),
          node('Tanh', ['l_d'], ['y']),
        ],
        opset: 13,
        inputs: [value('x', 1, [4, 4])],
        outputs: [value('y', 1, [4, 'M'])],
        initializers: [
          ...[floats('s_x', [], [0.02]), bytes('z_0', 0), floats('s_r', [], [0.03]), bytes('z_r', -128)],
          ...[floats('s_l', [], [0.03]), floats('s_c', [], [scale]), bytes('z_c', 0)],
          ...[floats('c', dims, Array(dims[0]).fill(number)), ints('shape', [2], size)].slice(
            made.length === 2 ? 1 : 0,
          ),
          bytes('c_i', number === 0 ? 0 : Math.sign(number) * 127, size),
        ],
      });
      const { report } = await swapped(source, { int8: 'exact' });
      const isKnown = held === 'a filled shape' || number === 0 || (!isTensor && opType !== 'Concat');
      met.add(`${opType} ${held} ${number}`);
      const after = !isKnown || number < 0;
      // Of a Concat with numbers that are not known, only the caller can tell.
      const isOpen = opType === 'Concat' && !isKnown;
      expect(
        report.sites.map(({ node: name }) => name),
        `${opType} ${held} ${number}`,
      ).toEqual(isOpen ? [] : after ? ['r_Q', 'l_Q'] : ['r_Q']);
    }),
    { seed: 4, numRuns: 120 },
  );
  expect(met.size).toBe(36);
});

test.each([0, 1, 2])(
  'a quantiser of output %d of a BatchNormalization that trains is a site: the first',
  async (slot) => {
    const outputs = ['n', 'mean', 'variance'];
    const quantised = outputs[slot] ?? '';
    const source = model({
      nodes: [
        node('QuantizeLinear', ['x', 's', 'z'], ['x_q']),
        node('DequantizeLinear', ['x_q', 's', 'z'], ['x_d']),
        node('BatchNormalization', ['x_d', 'w', 'w', 'w', 'w'], outputs, { training_mode: 1 }),
        node('QuantizeLinear', [quantised, 's', 'lowest'], ['q'], {}, { name: 'Q' }),
        node('DequantizeLinear', ['q', 's', 'lowest'], ['d']),
        node('Tanh', ['d'], ['y']),
      ],
      opset: 15,
      inputs: [value('x', 1, [4, 2])],
      outputs: [value('y', 1)],
      initializers: [
        ...[floats('s', [], [0.05]), floats('w', [2], [1, 1])],
        ...[128, 0].map((integer, at) => ({
          ...{ name: at === 0 ? 'z' : 'lowest', dataType: DataType.UINT8, dims: [] },
          rawData: new Uint8Array([integer]),
        })),
      ],
    });
    const { report } = await swapped(source, { int8: 'exact' });
    expect(report.sites.map(({ node: name }) => name)).toEqual(slot === 0 ? ['Q'] : []);
  },
);

test.each([
  ['without a number', 13, undefined, true],
  ['0', 13, 0, true],
  ['2', 13, 2, true],
  ['-1', 13, -1, false],
  ['0 as an attribute', 10, 0, true],
  ['-1 as an attribute', 10, -1, false],
])('a Pad after ReLU, %s, is no ReLU (opset %d)', async (_, opset, number, isPositive) => {
  const quantise = (from: string, zero: string, to: string) => [
    node('QuantizeLinear', [from, 's', zero], [`${to}_q`], {}, { name: `${to}_Q` }),
    node('DequantizeLinear', [`${to}_q`, 's', zero], [to]),
  ];
  const pads = [0, 0, 1, 1];
  const source = model({
    nodes: [
      ...quantise('x', 'z', 'x_d'),
      node('Sub', ['x_d', 'x_d'], ['r']),
      ...quantise('r', 'lowest', 'r_d'),
      opset < 11
        ? node('Pad', ['r_d'], ['p'], { pads, value: { f: number ?? 0 } })
        : node('Pad', ['r_d', 'pads', ...(number === undefined ? [] : ['c'])], ['p']),
      ...quantise('p', 'lowest', 'y'),
    ],
    opset,
    inputs: [value('x', 1, [4, 4])],
    outputs: [value('y', 1)],
    initializers: [
      ...[floats('s', [], [0.05]), floats('c', [], [number ?? 0]), ints('pads', [4], pads)],
      ...[128, 0].map((integer, at) => ({
        ...{ name: at === 0 ? 'z' : 'lowest', dataType: DataType.UINT8, dims: [] },
        rawData: new Uint8Array([integer]),
      })),
    ],
  });
  const { report } = await swapped(source, { int8: 'exact' });
  expect(report.sites.map(({ node: name }) => name)).toEqual(isPositive ? ['r_d_Q'] : []);
});

/** A regression's last layer, whose results were positive for all samples: a product, its bias, moves. */
const LAST = fc.record({
  hasBias: fc.boolean(),
  moves: fc.array(fc.constantFrom('Reshape', 'Flatten', 'Q'), { maxLength: 3 }),
});

test('positive results of a model are no ReLU, nor is the product before its bias', async () => {
  await fc.assert(
    fc.asyncProperty(LAST, async ({ hasBias, moves }) => {
      const quantise = (from: string, zero: string, to: string) => [
        node('QuantizeLinear', [from, 's', zero], [`${to}_q`], {}, { name: `${to}_Q` }),
        node('DequantizeLinear', [`${to}_q`, 's', zero], [to]),
      ];
      const last = hasBias ? 'b' : 'm';
      const tail = moves.flatMap((move, at) => {
        const [from, to] = [at === 0 ? last : `t${at - 1}`, `t${at}`];
        if (move === 'Q') return quantise(from, 'lowest', to);
        return [node(move, move === 'Reshape' ? [from, 'shape'] : [from], [to])];
      });
      const source = model({
        nodes: [
          ...quantise('x', 'z', 'x_d'),
          node('MatMul', ['x_d', 'x_d'], ['h']),
          ...quantise('h', 'lowest', 'h_d'),
          node('MatMul', ['h_d', 'x_d'], ['p']),
          ...quantise('p', 'lowest', 'm'),
          node('DequantizeLinear', ['bias', 's', 'z'], ['bias_d']),
          ...(hasBias
            ? [node('Add', ['m', 'bias_d'], ['a'], {}, { name: 'add' }), ...quantise('a', 'lowest', 'b')]
            : []),
          ...tail,
          node('Identity', [moves.length === 0 ? last : `t${moves.length - 1}`], ['y']),
        ],
        opset: 13,
        inputs: [value('x', 1, [4, 4])],
        outputs: [value('y', 1)],
        initializers: [
          ...[floats('s', [], [0.05]), ints('shape', [2], [4, 4])],
          ...(
            [
              ['z', 128],
              ['lowest', 0],
            ] as const
          ).map(([name, integer]) => ({
            ...{ name, dataType: DataType.UINT8, dims: [] },
            rawData: new Uint8Array([integer]),
          })),
          { name: 'bias', dataType: DataType.UINT8, dims: [4], rawData: new Uint8Array([128, 3, 200, 140]) },
        ],
      });
      const { report } = await swapped(source, { int8: 'exact' });
      expect(report.sites.map(({ node: name }) => name)).toEqual(['h_d_Q']);
      const chance = (from: string, where: string) =>
        `no Relu node, but ${from} clips negative values ${where}, or the samples had none`;
      const result = chance(hasBias ? 'b_Q' : 'm_Q', 'of an output of the model');
      expect(report.skipped.map(({ why }) => why)).toEqual([
        ...(hasBias ? [chance('m_Q', 'before add adds a bias')] : []),
        result,
      ]);
    }),
    { seed: 5, numRuns: 40 },
  );
});

const SIMPLE: Layer = {
  ...{
    opType: 'MatMul',
    elemType: DataType.UINT8,
    inputs: [
      { scale: 0.05, zero: 9 },
      { scale: 0.05, zero: 9 },
    ],
  },
  output: { scale: 0.03, zero: 0 },
};

const again = (scale: string) => [
  node('QuantizeLinear', ['l', scale, 'z_l'], ['l_q2'], {}, { name: 'second' }),
  node('DequantizeLinear', ['l_q2', scale, 'z_l'], ['r']),
];

test.each<[string, onnx.INodeProto[], string[], 'l_Q' | 'act' | undefined]>([
  ['nobody else', [], [], 'l_Q'],
  ['an activation', [node('Relu', ['l_d'], ['r'], {}, { name: 'act' })], [], 'act'],
  [
    'an activation behind a dequantiser of its own',
    [node('DequantizeLinear', ['l_q', 's_l', 'z_l'], ['e']), node('Relu', ['e'], ['r'], {}, { name: 'act' })],
    [],
    'act',
  ],
  ['another reader of the unclipped values', [node('Neg', ['l'], ['r'])], [], undefined],
  ['an output of the unclipped values', [], ['l'], undefined],
  ['a second quantiser of the same range', again('s_l'), [], 'l_Q'],
])('a quantiser whose values go to %s', async (_, more, outputs, site) => {
  const { report } = await swapped(layerModel(SIMPLE, more, outputs), { int8: 'exact' });
  expect(report.sites.map(({ node: name }) => name)).toEqual(site === undefined ? [] : [site]);
  if (site !== undefined) return;
  const reader = more.length === 0 ? 'an output of the model' : 'Neg → r';
  expect(report.skipped).toMatchObject([
    {
      reason: 'quantized',
      why: expect.stringMatching(new RegExp(`, and ${reader} reads the unclipped values$`)),
    },
  ]);
});

test.each<[string, boolean]>([
  ['Concat', true],
  ['Transpose', true],
  ['Reshape', true],
  // Of these, a part of the values may just be positive on the samples.
  ['MaxPool', false],
  ['Gather', false],
  ['Slice', false],
  ['Tanh', false],
])('a quantiser that cuts off negative values of %s is a site: %s', async (opType, isSite) => {
  const inputs = {
    ...{ Concat: ['x_d', 'z_d'], Reshape: ['x_d', 'shape'], Gather: ['x_d', 'shape'] },
    Slice: ['x_d', 'from', 'to'],
  }[opType] ?? ['x_d'];
  const more = [ints('shape', [2], [-1, 2]), ints('from', [1], [0]), ints('to', [1], [2])];
  const source = layerModel({ ...SIMPLE, opType }, [], [], inputs, more);
  const { report } = await swapped(source, { int8: 'exact' });
  expect(report.sites.map(({ node: name }) => name)).toEqual(isSite ? ['l_Q'] : []);
  const why = 'no Relu node, but l_Q clips negative values of layer, or the samples had none';
  expect(report.skipped.map((skip) => [skip.node, skip.why])).toEqual(
    isSite || opType === 'Tanh' ? [] : [['l_Q', why]],
  );
});

test.each(['x_d', 'z_d'])(
  '%s is positive, and its share of a signed value is cut off: a site',
  async (first) => {
    const [positive, signed] = [
      { scale: 0.05, zero: 0 },
      { scale: 0.05, zero: 7 },
    ];
    const layer: Layer = {
      ...SIMPLE,
      opType: 'Mul',
      inputs: first === 'x_d' ? [positive, signed] : [signed, positive],
    };
    expect((await swapped(layerModel(layer), { int8: 'exact' })).report.sites).toHaveLength(1);
  },
);

test('a quantiser whose integers are an output of the model is left, since their scale must stay', async () => {
  const { report } = await swapped(layerModel(SIMPLE, [], ['l_q']), { int8: 'exact' });
  expect(report.sites).toEqual([]);
  expect(report.skipped).toMatchObject([
    { node: 'l_Q', kind: 'relu', why: expect.stringMatching(/^its scale cannot be made anew: /) },
  ]);
});

test('a second quantiser that cuts at 6 makes both ReLU6', async () => {
  const { report } = await swapped(layerModel(SIMPLE, again('s_six')), { int8: 'exact' });
  expect(report.sites).toEqual([]);
  expect(report.skipped).toMatchObject([{ node: 'l_Q', kind: 'relu6' }]);
});

test.each<[string, string[], string[]]>([
  ['Add', ['x_d', 'float'], ['l_Q']], // a float may be negative
  ['Add', ['float', 'z_d'], []],
  ['MatMul', ['x', 'z_d'], []],
])('a layer %s of %j, of which one is a float', async (opType, names, sites) => {
  const plain: Layer = {
    ...SIMPLE,
    opType,
    inputs: [
      { scale: 0.05, zero: 0 },
      { scale: 0.05, zero: 0 },
    ],
  };
  const { report } = await swapped(layerModel(plain, [], [], names), { int8: 'exact' });
  expect(report.sites.map(({ node: name }) => name)).toEqual(sites);
});

test('a quantiser is no site where only other activations are swapped', async () => {
  const { report } = await swapped(layerModel(SIMPLE), { int8: 'exact', only: ['leakyrelu'] });
  expect([report.sites, report.skipped]).toEqual([[], []]);
});
