import { describe, expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { swap } from '../../src/mish/swap.js';
import { graph, LOOP_INITIALIZERS, loopNode, scanNode, scanStart } from '../support/bodies.js';
import { swapped } from '../support/graph.js';
import { floats, ints, type ModelParts, model, node, value } from '../support/model.js';
import { f32, run } from '../support/run.js';

const F32 = 1;
const I64 = 7;
const BOOL = 9;
const scalar = value('x', F32, []);

/** Reasons of what a swap skips, by the output of the node. */
async function skips(parts: ModelParts): Promise<Record<string, string>> {
  const { report } = await swapped(model(parts));
  return Object.fromEntries(report.skipped.map(({ output, reason }) => [output, reason]));
}

const relu = node('Relu', ['x'], ['r']);
const toInt = (from: string, to: string) => node('Cast', [from], [to], { to: I64 });

describe('a Relu whose result the graph calculates with stays', () => {
  const shape = [floats('one', [1], [1]), ints('zero', [], [0])];
  const cases: Record<string, onnx.INodeProto[]> = {
    'cast to an integer': [relu, toInt('r', 'y')],
    'cast behind a sum and a rounding': [
      relu,
      node('Add', ['r', 'x'], ['a']),
      node('Ceil', ['a'], ['b']),
      toInt('b', 'y'),
    ],
    'cast behind another cast': [relu, node('Cast', ['r'], ['d'], { to: 11 }), toInt('d', 'y')],
    'cast like an integer': [relu, node('CastLike', ['r', 'zero'], ['y'])],
    'a shape': [relu, toInt('r', 'n'), node('ConstantOfShape', ['n'], ['y'])],
    'an index': [relu, toInt('r', 'n'), node('Gather', ['one', 'n'], ['y'])],
    'a Range': [relu, node('Range', ['r', 'x', 'x'], ['y'])],
    'the scales of a Resize': [relu, node('Resize', ['x', '', 'r'], ['y'])],
    'a depth of OneHot': [relu, node('OneHot', ['zero', 'r', 'one'], ['y'])],
    'the positions that are not zero': [relu, node('NonZero', ['r'], ['y'])],
    'a selection': [relu, node('Greater', ['r', 'x'], ['c']), node('Compress', ['x', 'c'], ['y'])],
    'two in a row': [node('Relu', ['x'], ['q']), node('Relu', ['q'], ['r']), toInt('r', 'y')],
  };
  test.each(Object.entries(cases))('%s', async (_, nodes) => {
    const reasons = await skips({ nodes, inputs: [scalar], initializers: shape });
    expect(reasons.r).toBe('arithmetic');
    expect(new Set(Object.values(reasons))).toEqual(new Set(['arithmetic']));
  });

  test('the trip count of a Loop, and the model still runs', async () => {
    const body = graph(
      'body',
      [node('Identity', ['go'], ['still']), node('Relu', ['c'], ['d']), node('Add', ['d', 'one'], ['e'])],
      [value('i', I64, []), value('go', BOOL, []), value('c', F32, [])],
      [value('still', BOOL, []), value('e', F32, [])],
    );
    const source = model({
      nodes: [
        relu,
        toInt('r', 'n'),
        node('Loop', ['n', '', 'start'], ['y'], { body: { graph: { ...body.graph } } }, { name: 'loop' }),
      ],
      inputs: [scalar],
      outputs: [value('y', F32, [])],
      initializers: [floats('start', [], [0]), floats('one', [], [1])],
    });
    const { bytes, report } = await swapped(source);
    expect(report.skipped).toMatchObject([{ output: 'r', reason: 'arithmetic', scope: 'graph' }]);
    expect(report.sites).toMatchObject([{ output: 'd', scope: 'graph/loop.body' }]);
    // Two rounds; Mish(2.05) is 1.99, which would make it one.
    const { y } = await run(bytes, { x: f32([2.05], []) });
    expect(y?.[0]).toBeCloseTo(1 + 0.8650983882673103, 5);
  });

  test('a condition: of an If, of a Loop, and the one its body gives back', async () => {
    const positive = node('Cast', ['r'], ['c'], { to: BOOL });
    const branch = graph('b', [node('Identity', ['x'], ['z'])], [], [value('z', F32)]);
    const decides = [relu, positive, node('If', ['c'], ['y'], { then_branch: branch, else_branch: branch })];
    expect(await skips({ nodes: decides, inputs: [scalar] })).toEqual({ r: 'arithmetic' });

    const inputs = [value('i', I64, []), value('go', BOOL, []), value('v', F32, [])];
    const outputs = [value('still', BOOL, []), value('w', F32, [])];
    const plain = [node('Identity', ['go'], ['still']), node('Identity', ['v'], ['w'])];
    const starts = [
      relu,
      positive,
      node('Loop', ['', 'c', 'x'], ['y'], { body: graph('b', plain, inputs, outputs) }),
    ];
    expect(await skips({ nodes: starts, inputs: [scalar] })).toEqual({ r: 'arithmetic' });

    const inside = [
      node('Relu', ['v'], ['r']),
      node('Cast', ['r'], ['still'], { to: BOOL }),
      plain[1] ?? relu,
    ];
    const loop = node('Loop', ['', '', 'x'], ['y'], { body: graph('b', inside, inputs, outputs) });
    expect(await skips({ nodes: [loop], inputs: [scalar] })).toEqual({ r: 'arithmetic' });
  });
});

describe('across the borders of bodies', () => {
  const indexed = [node('Identity', ['carried'], ['next']), toInt('carried', 'unused')];

  test('into a Loop by its carried value', async () => {
    const nodes = [relu, loopNode('r', 'y', indexed)];
    expect(await skips({ nodes, initializers: LOOP_INITIALIZERS })).toEqual({ r: 'arithmetic' });
  });

  test('round a Loop: what an iteration gives, the next one casts', async () => {
    const body = [toInt('carried', 'unused'), node('Relu', ['x'], ['next'])];
    const nodes = [loopNode('x', 'y', body)];
    expect(await skips({ nodes, initializers: LOOP_INITIALIZERS })).toEqual({ next: 'arithmetic' });
  });

  test('out of a Loop', async () => {
    const nodes = [loopNode('x', 'a', [node('Relu', ['carried'], ['next'])]), toInt('a', 'y')];
    expect(await skips({ nodes, initializers: LOOP_INITIALIZERS })).toEqual({ next: 'arithmetic' });
  });

  test('by an outer name that a body reads', async () => {
    const body = [toInt('r', 'unused'), node('Identity', ['carried'], ['next'])];
    const nodes = [relu, loopNode('x', 'y', body)];
    expect(await skips({ nodes, initializers: LOOP_INITIALIZERS })).toEqual({ r: 'arithmetic' });
  });

  test('into a Scan, by its rows, and by its state', async () => {
    const reads = (name: string) => [node('Identity', ['row'], ['mapped']), toInt(name, 'unused')];
    const initializers = [scanStart(4)];
    expect(await skips({ nodes: [relu, scanNode('r', 'y', reads('row'), 4)], initializers })).toEqual({
      r: 'arithmetic',
    });
    // The row reaches the state, which the next row's iteration casts.
    const state = [node('Relu', ['row'], ['mapped']), toInt('sum_in', 'unused')];
    expect(await skips({ nodes: [scanNode('x', 'y', state, 4)], initializers })).toEqual({
      mapped: 'arithmetic',
    });
    expect(await skips({ nodes: [relu, scanNode('r', 'y', reads('sum_in'), 4)], initializers })).toEqual({
      r: 'arithmetic',
    });
  });
});

describe('across the borders of functions', () => {
  const local = (name: string, nodes: onnx.INodeProto[]): onnx.IFunctionProto => ({
    name,
    domain: 'local',
    input: ['a'],
    output: ['b'],
    node: nodes,
    opsetImport: [
      { domain: '', version: 18 },
      { domain: 'local', version: 1 },
    ],
  });
  const call = (name: string, from: string, to: string) => node(name, [from], [to], {}, { domain: 'local' });
  const domains = { local: 1 };
  const act = local('Act', [node('Relu', ['a'], ['b'])]);
  const pass = local('Pass', [node('Identity', ['a'], ['b'])]);
  const count = local('Count', [toInt('a', 'n'), node('Cast', ['n'], ['b'], { to: F32 })]);

  test('a function’s Relu stays when one of its calls is arithmetic', async () => {
    const nodes = [call('Act', 'x', 'p'), call('Act', 'x', 'q'), toInt('q', 'n'), node('Neg', ['p'], ['y'])];
    expect(await skips({ nodes, functions: [act], domains })).toEqual({ b: 'arithmetic' });
  });

  test('each of two in a row within a function, whose caller casts the result', async () => {
    const two = local('Two', [node('Relu', ['a'], ['h']), node('Relu', ['h'], ['b'])]);
    const nodes = [call('Two', 'x', 'p'), toInt('p', 'n'), node('Neg', ['x'], ['y'])];
    expect(await skips({ nodes, functions: [two], domains })).toEqual({ h: 'arithmetic', b: 'arithmetic' });
  });

  test('a Relu whose result a function casts', async () => {
    const nodes = [relu, call('Count', 'r', 'y')];
    expect(await skips({ nodes, functions: [count], domains })).toEqual({ r: 'arithmetic' });
  });

  test('through a function and on', async () => {
    const nodes = [relu, call('Pass', 'r', 'p'), toInt('p', 'n'), node('Neg', ['x'], ['y'])];
    expect(await skips({ nodes, functions: [pass], domains })).toEqual({ r: 'arithmetic' });
  });

  test('what another call of the same function does is not this one’s business', async () => {
    const nodes = [relu, call('Pass', 'r', 'y'), call('Pass', 'x', 'q'), toInt('q', 'n')];
    expect(await skips({ nodes, functions: [pass], domains })).toEqual({});
  });

  test('functions that call themselves, which ONNX forbids, do not hang the search', async () => {
    const again = local('Again', [call('Again', 'a', 'b')]);
    const nodes = [relu, call('Again', 'r', 'y')];
    expect(await skips({ nodes, functions: [again], domains })).toEqual({});
  });
});

describe('an activation is not called arithmetic', () => {
  const weights = [
    floats(
      'w',
      [4, 4, 1, 1],
      Array.from({ length: 16 }, (_, at) => at / 16 - 0.4),
    ),
  ];
  const conv = (from: string, to: string) => node('Conv', [from, 'w'], [to]);
  const cases: Record<string, onnx.INodeProto[]> = {
    'with a Conv before the ArgMax': [relu, conv('r', 'c'), node('ArgMax', ['c'], ['y'])],
    'with a Conv before the Cast': [relu, conv('r', 'c'), toInt('c', 'y')],
    'at the ArgMax itself': [relu, node('ArgMax', ['r'], ['y'])],
    'with its shape taken': [
      relu,
      node('Shape', ['r'], ['s']),
      node('Reshape', ['x', 's'], ['y']),
      node('Size', ['r'], ['n']),
    ],
    'in a residual block': [
      relu,
      conv('r', 'c'),
      node('Add', ['c', 'r'], ['d']),
      node('Relu', ['d'], ['e']),
      node('GlobalAveragePool', ['e'], ['p']),
      node('Flatten', ['p'], ['f']),
      node('Softmax', ['f'], ['g']),
      toInt('g', 'y'),
    ],
    'as the data of a Resize or a Gather': [
      relu,
      node('Resize', ['r', '', 'scales'], ['s']),
      node('Gather', ['s', 'zero'], ['y']),
    ],
    'cast to a smaller float': [relu, node('Cast', ['r'], ['y'], { to: 10 })],
    'through a matrix product into a comparison': [
      relu,
      node('MatMul', ['r', 'w'], ['m']),
      node('Greater', ['m', 'x'], ['c']),
      toInt('c', 'y'),
    ],
  };
  test.each(Object.entries(cases))('%s', async (_, nodes) => {
    const initializers = [...weights, floats('scales', [4], [1, 1, 2, 2]), ints('zero', [1], [0])];
    expect(await skips({ nodes, initializers, inputs: [value('x', F32, [1, 4, 2, 2])] })).toEqual({});
  });
});

describe('quantisation', () => {
  const parts = (...middle: onnx.INodeProto[]): ModelParts => ({
    nodes: [
      relu,
      ...middle,
      node('QuantizeLinear', ['p', 'scale', 'zero'], ['q']),
      node('DequantizeLinear', ['q', 'scale', 'zero'], ['y']),
    ],
    inputs: [value('x', F32, [1, 1, 4, 4])],
    outputs: [value('y', F32)],
    initializers: [
      floats('scale', [], [0.1]),
      { name: 'zero', dataType: 2, dims: [], rawData: new Uint8Array([0]) },
    ],
  });
  const pool = node('MaxPool', ['r'], ['p'], { kernel_shape: [2, 2] });

  test.each([
    ['itself', node('Identity', ['r'], ['p'])],
    ['MaxPool', pool],
    ['Concat', node('Concat', ['r', 'x'], ['p'], { axis: 0 })],
    ['Transpose', node('Transpose', ['r'], ['p'])],
  ])('a Relu before QuantizeLinear, through %s, stays and says why', async (_, middle) => {
    const source = model(parts(middle));
    const { output, report } = await swap(source);
    expect(report.skipped).toMatchObject([{ output: 'r', reason: 'quantized' }]);
    expect(report.skipped[0]?.why).toMatch(/QuantizeLinear.*calibrated/);
    expect(await output.bytes()).toEqual(source);
  });

  test('a layer between the two makes it another signal', async () => {
    expect(await skips(parts(node('Sigmoid', ['r'], ['p'])))).toEqual({});
  });

  test('DynamicQuantizeLinear finds its scale at run time, so the site is swapped', async () => {
    const nodes = [relu, node('DynamicQuantizeLinear', ['r'], ['q', 's', 'z']), node('Neg', ['r'], ['y'])];
    expect(await skips({ nodes })).toEqual({});
  });
});

describe('the reason is told', () => {
  const whyOf = async (nodes: onnx.INodeProto[], rest: Partial<ModelParts> = {}) => {
    const { report } = await swapped(model({ nodes, inputs: [scalar], ...rest }));
    return report.skipped.map(({ reason, why }) => [reason, why]);
  };
  // The node that decided stands behind it.
  const named = (why: string) => expect.stringMatching(new RegExp(`^${why} \\(\\w+ → \\w+\\)$`));
  const arithmetic = (why: string) => [['arithmetic', named(why)]];
  const branch = (name: string) => ({
    graph: { name, node: [node('Neg', ['x'], ['o'])], output: [{ name: 'o' }] },
  });
  const body = graph(
    'b',
    [node('Identity', ['go'], ['still']), node('Neg', ['c'], ['n'])],
    [value('i', I64), value('go', BOOL), value('c', F32)],
    [value('still', BOOL), value('n', F32)],
  );

  const blind = graph(
    'b',
    [node('Constant', [], ['still'], { value_int: 1 }), node('Neg', ['c'], ['n'])],
    [value('i', I64), value('go', BOOL), value('c', F32)],
    [value('still', BOOL), value('n', F32)],
  );

  test.each<[string, onnx.INodeProto[], string]>([
    ['a cast', [relu, toInt('r', 'y')], 'its result is cast to an integer'],
    [
      'an If',
      [
        relu,
        node('Cast', ['r'], ['b'], { to: BOOL }),
        node('If', ['b'], ['y'], { then_branch: branch('t') }),
      ],
      'its result decides an If',
    ],
    [
      'a trip count',
      [relu, node('Loop', ['r', '', 'x'], ['y'], { body })],
      'its result is the trip count of a Loop',
    ],
    [
      'a condition',
      [relu, node('Loop', ['', 'r', 'x'], ['y'], { body })],
      'its result is the condition of a Loop',
    ],
    [
      'a condition that the body does not look at',
      [relu, node('Loop', ['', 'r', 'x'], ['y'], { body: blind })],
      'its result is the condition of a Loop',
    ],
    [
      'a cast behind a CastLike',
      [relu, node('CastLike', ['r', 'x'], ['l']), toInt('l', 'y')],
      'its result is cast to an integer',
    ],
    ['a size', [relu, node('Range', ['r', 'x', 'x'], ['y'])], 'its result is a size or index of Range'],
    ['a scale', [relu, node('Upsample', ['x', 'r'], ['y'])], 'its result is a size or index of Upsample'],
  ])('%s', async (_, nodes, why) => {
    expect(await whyOf(nodes)).toEqual(arithmetic(why));
  });

  test.each([2, 3, 4, 5, 6, 7, 12, 13, 21, 22])('for every integer type: %i', async (to) => {
    expect(await whyOf([relu, node('Cast', ['r'], ['y'], { to })])).toHaveLength(1);
    expect(
      await whyOf([relu, node('CastLike', ['r', 'other'], ['y'])], { values: [value('other', to)] }),
    ).toHaveLength(1);
  });

  test.each([1, 10, 11, 16])('and for no other float: %i', async (to) => {
    expect(await whyOf([relu, node('Cast', ['r'], ['y'], { to })])).toEqual([]);
    expect(
      await whyOf([relu, node('CastLike', ['r', 'other'], ['y'])], { values: [value('other', to)] }),
    ).toEqual([]);
  });

  test.each<[string, onnx.INodeProto]>([
    ['as what something is cast like', node('CastLike', ['n', 'r'], ['y'])],
    ['as what something is cast like, itself an integer', node('CastLike', ['x', 'n'], ['y'])],
    ['of another domain', { ...toInt('r', 'y'), domain: 'com.example' }],
    ['without a type', node('Cast', ['r'], ['y'])],
    ['as the data of a Resize', node('Resize', ['r', '', 'x'], ['y'])],
    ['as the data of a Compress', node('Compress', ['r', 'x'], ['y'])],
    ['as what a Loop carries', node('Loop', ['n', 'c', 'r'], ['y'], { body })],
    [
      'as what another domain calls a Loop',
      { ...node('Loop', ['r', 'r', 'x'], ['y'], { body }), domain: 'com.example' },
    ],
    ['as the values of a OneHot', node('OneHot', ['x', 'x', 'r'], ['y'])],
  ])('not where it is used %s', async (_, use) => {
    expect(await whyOf([relu, use], { values: [value('n', I64)] })).toEqual([]);
  });

  test('through an operator of another domain nothing is followed', async () => {
    expect(
      await whyOf([relu, { ...node('Neg', ['r'], ['n']), domain: 'com.example' }, toInt('n', 'y')]),
    ).toEqual([]);
  });

  test('a quantisation is one only where its scale is fixed', async () => {
    const quantized = [
      ['quantized', named('it feeds QuantizeLinear, whose scale was calibrated for the old activation')],
    ];
    expect(await whyOf([relu, node('QuantizeLinear', ['r', 's'], ['y'])])).toEqual(quantized);
    expect(
      await whyOf([
        relu,
        node('MaxPool', ['r'], ['m']),
        node('Concat', ['m', 'x'], ['c']),
        node('QuantizeLinear', ['c', 's'], ['y']),
      ]),
    ).toEqual(quantized);
    expect(await whyOf([relu, node('DynamicQuantizeLinear', ['r'], ['y'])])).toEqual([]);
    expect(await whyOf([relu, node('Neg', ['r'], ['n']), node('QuantizeLinear', ['n', 's'], ['y'])])).toEqual(
      [],
    );
  });
});

describe('what goes around', () => {
  const names = async (nodes: onnx.INodeProto[], opset = 18) => {
    const { report } = await swapped(model({ nodes, inputs: [scalar], opset }));
    return report.skipped.map(({ output }) => output);
  };
  const input = (name: string) => ({ name });
  const body = (nodes: onnx.INodeProto[], inputs: string[], outputs: string[]) => ({
    graph: { name: 'b', node: nodes, input: inputs.map(input), output: outputs.map(input) },
  });

  test('goes into a Loop at any opset and into a SequenceMap, and into nothing else that has a body', async () => {
    const casts = body([toInt('state', 'n')], ['i', 'go', 'state'], ['go', 'n']);
    const loop = node('Loop', ['n', '', 'r'], ['y'], { body: casts });
    const r = node('Relu', ['x'], ['r']);
    for (const opset of [8, 9, 18]) expect(await names([r, loop], opset)).toEqual(['r']);
    expect(await names([r, { ...loop, domain: 'com.example' }])).toEqual([]);
    expect(await names([r, { ...loop, opType: 'SequenceMap' }])).toEqual(['r']);
    expect(await names([r, { ...loop, opType: 'Other' }])).toEqual([]);
  });

  test('comes back at the head of a Loop’s next round, and out of it at the end', async () => {
    // The state of one round is cast in the next.
    const around = body(
      [node('Relu', ['x'], ['next']), toInt('state', 'unused'), node('Identity', ['go'], ['still'])],
      ['i', 'go', 'state'],
      ['still', 'next'],
    );
    expect(await names([node('Loop', ['n', '', 'x'], ['y'], { body: around })])).toEqual(['next']);
    const out = body(
      [node('Relu', ['state'], ['next']), node('Identity', ['go'], ['still'])],
      ['i', 'go', 'state'],
      ['still', 'next'],
    );
    expect(await names([node('Loop', ['n', '', 'x'], ['l'], { body: out }), toInt('l', 'y')])).toEqual([
      'next',
    ]);
    // What is only collected does not come back.
    const collected = body(
      [
        node('Relu', ['x'], ['row']),
        toInt('state', 'unused'),
        node('Identity', ['go'], ['still']),
        node('Identity', ['state'], ['next']),
      ],
      ['i', 'go', 'state'],
      ['still', 'next', 'row'],
    );
    expect(await names([node('Loop', ['n', '', 'x'], ['l', 'rows'], { body: collected })])).toEqual([]);
    expect(
      await names([node('Loop', ['n', '', 'x'], ['l', 'rows'], { body: collected }), toInt('rows', 'y')]),
    ).toEqual(['row']);
  });

  test('decides a Loop when it is given back as its condition', async () => {
    const deciding = body(
      [
        node('Relu', ['state'], ['r']),
        node('Cast', ['r'], ['still'], { to: BOOL }),
        node('Identity', ['state'], ['next']),
      ],
      ['i', 'go', 'state'],
      ['still', 'next'],
    );
    const { report } = await swapped(
      model({ nodes: [node('Loop', ['n', '', 'x'], ['y'], { body: deciding })], inputs: [scalar] }),
    );
    expect(report.skipped).toMatchObject([
      { output: 'r', why: 'its result is the condition of a Loop (Loop → y)', decidedBy: 'Loop → y' },
    ]);
  });

  test('goes into a Loop or a Scan where its body takes it', async () => {
    const taking = (cast: string) =>
      body(
        [
          toInt(cast, 'unused'),
          node('Identity', ['go'], ['still']),
          node('Identity', ['a'], ['a2']),
          node('Identity', ['b'], ['b2']),
        ],
        ['i', 'go', 'a', 'b'],
        ['still', 'a2', 'b2'],
      );
    expect(await names([relu, node('Loop', ['n', '', 'r', 'x'], ['y', 'z'], { body: taking('a') })])).toEqual(
      ['r'],
    );
    expect(await names([relu, node('Loop', ['n', '', 'r', 'x'], ['y', 'z'], { body: taking('b') })])).toEqual(
      [],
    );
    const scanning = (cast: string) =>
      body(
        [toInt(cast, 'unused'), node('Identity', ['s'], ['s2']), node('Identity', ['row'], ['o'])],
        ['s', 'row'],
        ['s2', 'o'],
      );
    const scan = (cast: string, inputs: string[], opset = 18) =>
      names([relu, node('Scan', inputs, ['y', 'z'], { body: scanning(cast), num_scan_inputs: 1 })], opset);
    expect(await scan('s', ['r', 'x'])).toEqual(['r']);
    expect(await scan('row', ['r', 'x'])).toEqual([]);
    // Up to opset 8 the lengths of the sequences come first.
    expect(await scan('s', ['', 'r', 'x'], 8)).toEqual(['r']);
    expect(await scan('row', ['', 'r', 'x'], 8)).toEqual([]);
    expect(await scan('s', ['r', 'x'], 9)).toEqual(['r']);
  });

  test('comes back in a Scan only as its state', async () => {
    const state = body(
      [node('Relu', ['x'], ['s2']), toInt('s', 'unused'), node('Identity', ['row'], ['o'])],
      ['s', 'row'],
      ['s2', 'o'],
    );
    expect(await names([node('Scan', ['x', 'x'], ['y', 'z'], { body: state, num_scan_inputs: 1 })])).toEqual([
      's2',
    ]);
    const row = body(
      [node('Relu', ['x'], ['o']), toInt('row', 'unused'), node('Identity', ['s'], ['s2'])],
      ['s', 'row'],
      ['s2', 'o'],
    );
    expect(await names([node('Scan', ['x', 'x'], ['y', 'z'], { body: row, num_scan_inputs: 1 })])).toEqual(
      [],
    );
  });

  test('leaves an If by the output at its place', async () => {
    const branch = (first: string, second: string) =>
      body([node('Relu', ['x'], ['r']), node('Neg', ['x'], ['n'])], [], [first, second]);
    const choice = (first: string, second: string) =>
      names([node('If', ['c'], ['p', 'q'], { then_branch: branch(first, second) }), toInt('p', 'y')]);
    expect(await choice('r', 'n')).toEqual(['r']);
    expect(await choice('n', 'r')).toEqual([]);
  });
});

test('what becomes of a function’s result at one call is nothing to what another call gives it', async () => {
  const chain = {
    ...{ domain: 'local', name: 'Chain', input: ['a'], output: ['v'] },
    opsetImport: [{ domain: '', version: 18 }],
    node: [node('Relu', ['a'], ['u']), node('Relu', ['u'], ['v'])],
  };
  const call = (from: string, to: string) => node('Chain', [from], [to], {}, { domain: 'local' });
  const parts = { functions: [chain], domains: { local: 1 }, inputs: [scalar] };
  const casts = [call('x', 'c'), toInt('c', 'y'), node('Relu', ['x'], ['r']), call('r', 'd')];
  expect(await skips({ ...parts, nodes: casts })).toEqual({ u: 'arithmetic', v: 'arithmetic' });
  expect(
    await skips({
      ...parts,
      nodes: [call('x', 'c'), node('Neg', ['c'], ['y']), node('Relu', ['x'], ['r']), call('r', 'd')],
    }),
  ).toEqual({});
  expect(await skips({ ...parts, nodes: [...casts, toInt('d', 'z')] })).toEqual({
    u: 'arithmetic',
    v: 'arithmetic',
    r: 'arithmetic',
  });
});
