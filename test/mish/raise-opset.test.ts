import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { OnnxMishError } from '../../src/base/error.js';
import type { OptionHint } from '../../src/base/option-hint.js';
import { FORMS, type FormName } from '../../src/mish/forms.js';
import { undo } from '../../src/mish/history.js';
import { OPSET_CHANGES } from '../../src/mish/opset-changes.js';
import { opsetObstacle } from '../../src/mish/raise-opset.js';
import { retarget } from '../../src/mish/retarget.js';
import { swap } from '../../src/mish/swap.js';
import { scan } from '../../src/onnx/scan.js';
import { ifNode } from '../support/bodies.js';
import { decode } from '../support/graph.js';
import { floats, model, node, value } from '../support/model.js';
import { f32, run } from '../support/run.js';

const x = f32([-2, -1, -0.5, 0, 1, 2, 3, 4], [2, 4]);
const weights = Array.from({ length: 16 }, (_, index) => Math.sin(index));
const bias = floats('b', [4], [0.1, -0.2, 0.3, 0.4]);

/** Nodes of old opsets, from 'x' to 'y', of which some attributes have to go. */
const OLD: Readonly<Record<string, onnx.INodeProto[]>> = {
  'Add with broadcast': [node('Add', ['x', 'b'], ['y'], { broadcast: 1 })],
  'Mul without': [node('Mul', ['x', 'x'], ['y'])],
  Gemm: [node('Gemm', ['x', 'w', 'b'], ['y'], { broadcast: 1 })],
  Dropout: [node('Dropout', ['x'], ['y'], { is_test: 1 })],
  Exp: [node('Exp', ['x'], ['y'])],
};

test('a model of opset 6 runs once it is raised, as its swap does, and undo gives every byte', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...Object.keys(OLD)),
      fc.constantFrom<FormName>('softplus', 'exp'),
      fc.integer({ min: 7, max: 10 }),
      async (kind, form, opset) => {
        const nodes = [
          ...(OLD[kind] ?? []).map((one) => ({ ...one, output: ['z'] })),
          node('Relu', ['z'], ['y']),
        ];
        const bytes = model({
          nodes,
          opset: 6,
          ir: 4,
          inputs: [value('x', 1, [2, 4])],
          outputs: [value('y', 1, [2, 4])],
          initializers: [floats('w', [4, 4], weights), bias],
        });
        const { output } = await swap(bytes, { form, opset });
        const swapped = await output.bytes();
        const document = await scan(swapped);
        expect([...document.graph.opsets]).toEqual([['', opset]]);
        const names = document.graph.nodes.flatMap(({ attributes }) => attributes.map(({ name }) => name));
        expect(names).not.toContain('broadcast');
        expect(names).not.toContain('is_test');
        const { y = [] } = await run(swapped, { x });
        expect(y.every(Number.isFinite)).toBe(true);
        expect(await (await undo(swapped)).bytes()).toEqual(bytes);
      },
    ),
    { numRuns: 25, seed: 14 },
  );
});

test('the advice of every refusal and note on opsets works where it names the option', async () => {
  for (const form of Object.keys(FORMS) as FormName[]) {
    for (let opset = 1; opset <= 20; opset++) {
      for (const extra of [[], [node('Pad', ['x'], ['p'], { pads: [0, 0, 0, 0] })]]) {
        const nodes = [...extra, node('Relu', [extra.length > 0 ? 'p' : 'x'], ['y'])];
        const bytes = model({ nodes, opset, ir: 4 });
        const result = await swap(bytes, { form }).catch((error: OnnxMishError) => error);
        const texts: [string, OptionHint | undefined][] =
          result instanceof OnnxMishError
            ? [[result.fix ?? '', result.option]]
            : result.report.notes.map((note) => [note, result.report.noteOptions?.[note]]);
        for (const [text, option] of texts.filter(([one]) => /opset/.test(one))) {
          const to = Number(/to opset (\d+)/.exec(text)?.[1]);
          const raised = swap(bytes, { form, opset: to }).then(
            () => true,
            () => false,
          );
          expect(await raised, text).toBe(option?.opset !== undefined);
          expect([undefined, to]).toContain(option?.opset);
        }
      }
    }
  }
});

const ints = (name: string, data: number[]) => ({
  name,
  dataType: 7,
  dims: [data.length],
  rawData: new Uint8Array(BigInt64Array.from(data, BigInt).buffer),
});

/** Nodes whose operator changes, but not for these attributes and inputs: each from 'x' of [1, 2, 2, 4] to 'y'. */
const KEPT: readonly (readonly [from: number, to: number, changing: onnx.INodeProto])[] = [
  [7, 13, node('Dropout', ['x'], ['y'], { ratio: { f: 0.5 } })],
  [10, 13, node('Dropout', ['x'], ['y'], { ratio: { f: 0.5 } })],
  [10, 13, node('Dropout', ['x'], ['y', 'mask'])],
  [13, 18, node('Split', ['x', 'sizes'], ['y', 'rest'], { axis: 3 })],
  [8, 18, node('ConvTranspose', ['x', 'w'], ['y'], { strides: [2, 2], pads: [0, 1, 1, 0] })],
  [9, 22, node('ConvTranspose', ['x', 'w'], ['y'], { auto_pad: 'VALID', output_padding: [0, 0] })],
  ...['half_pixel', 'pytorch_half_pixel', 'align_corners', 'asymmetric', 'tf_crop_and_resize'].flatMap(
    (coordinate_transformation_mode) =>
      ['nearest', 'linear', 'cubic'].flatMap((mode) =>
        [
          ['x', 'roi', 'scales'],
          ['x', 'roi', 'none', 'shape'],
        ].map(
          (inputs) =>
            [11, 19, node('Resize', inputs, ['y'], { mode, coordinate_transformation_mode })] as const,
        ),
      ),
  ),
];

test.each(KEPT)(
  'from opset %i to %i, a node that is not affected computes the same: %j',
  async (opset, to, changing) => {
    const bytes = model({
      nodes: [changing, node('Sigmoid', ['y'], ['z'])],
      opset,
      ir: 7,
      inputs: [value('x', 1, [1, 2, 2, 4])],
      outputs: [value('z', 1)],
      initializers: [
        floats('w', [2, 1, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]),
        floats('roi', [8], [0, 0, 0, 0.1, 1, 1, 1, 0.8]),
        floats('scales', [4], [1, 1, 1.5, 0.75]),
        floats('none', [0], []),
        ints('shape', [1, 2, 3, 5]),
        ints('sizes', [1, 3]),
      ],
    });
    const feed = { x: f32([...x.data, ...x.data], [1, 2, 2, 4]) };
    const raised = await (await retarget(bytes, { form: 'exp', opset: to })).output.bytes();
    expect((await scan(raised)).graph.opsets.get('')).toBe(to);
    expect(await run(raised, feed)).toEqual(await run(bytes, feed));
  },
);

test('an operator of scores is refused, or computes the same, and is raised where its axis is the last', async () => {
  let raises = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('Softmax', 'LogSoftmax', 'Hardmax'),
      fc.integer({ min: 1, max: 4 }),
      fc.option(fc.integer({ min: -4, max: 3 }), { nil: undefined }),
      async (opType, rank, axis) => {
        if (axis !== undefined && (axis < -rank || axis >= rank)) return;
        if (axis === undefined && rank === 1) return; // the default axis is 1
        const dims = [2, 3, 2, 4].slice(0, rank);
        const bytes = model({
          nodes: [node(opType, ['x'], ['y'], axis === undefined ? {} : { axis }), node('Exp', ['y'], ['z'])],
          opset: 12,
          inputs: [value('x', 1, dims)],
          outputs: [value('z', 1, dims)],
        });
        const isLast = axis === -1 || (axis ?? 1) === rank - 1;
        const raised = await retarget(bytes, { form: 'exp', opset: 13 }).catch(
          (error: OnnxMishError) => error.what,
        );
        if (typeof raised === 'string') expect([isLast, raised]).toEqual([false, expect.any(String)]);
        else {
          raises++;
          expect((await scan(await raised.output.bytes())).graph.opsets.get('')).toBe(13);
          const count = dims.reduce((product, dim) => product * dim, 1);
          const feeds = {
            x: f32(
              Array.from({ length: count }, (_, at) => Math.sin(at)),
              dims,
            ),
          };
          expect(await run(await raised.output.bytes(), feeds)).toEqual(await run(bytes, feeds));
        }
        expect(typeof raised === 'string').toBe(!isLast);
      },
    ),
    { seed: 3, numRuns: 60 },
  );
  expect(raises).toBeGreaterThan(10);
});

test.each([
  [7, 1],
  [8, 1],
  [8, undefined],
  [8, 0],
])(
  'from opset %i, a batch normalisation with spatial %j computes the same or is refused',
  async (opset, spatial) => {
    const names = ['s', 'b', 'mean', 'var'];
    const bytes = model({
      nodes: [
        node('BatchNormalization', ['x', ...names], ['y'], spatial === undefined ? {} : { spatial }),
        node('Exp', ['y'], ['z']),
      ],
      opset,
      ir: 4,
      inputs: [value('x', 1, [2, 4])],
      outputs: [value('z', 1, [2, 4])],
      initializers: names.map((name, at) => floats(name, [4], [1 + at, 2, 3, 4])),
    });
    const raised = retarget(bytes, { form: 'exp', opset: 9 });
    if (spatial === 0)
      return expect(raised).rejects.toMatchObject({ what: expect.stringContaining('another operator') });
    const after = await (await raised).output.bytes();
    expect((await scan(after)).graph.nodes[0]?.attributes).toEqual([]);
    expect(await run(after, { x })).toEqual(await run(bytes, { x }));
  },
);

test.each(['Add', 'Mul', 'Div', 'Pow'])(
  '%s of opset 6 with each broadcast and axis computes the same',
  async (opType) => {
    const f = { Add: (a: number, b: number) => a + b, Mul: (a: number, b: number) => a * b } as const;
    const operation = { ...f, Div: (a: number, b: number) => a / b, Pow: (a: number, b: number) => a ** b }[
      opType
    ];
    const second = [1, 2, 3, 4];
    for (const broadcast of [undefined, 0, 1])
      for (const axis of [undefined, 0, 1]) {
        const isWhole = broadcast !== 1;
        const attributes = {
          ...(broadcast === undefined ? {} : { broadcast }),
          ...(axis === undefined ? {} : { axis }),
        };
        const bytes = model({
          nodes: [node(opType, ['x', 'c'], ['y'], attributes, { name: 'here' })],
          ...{ opset: 6, ir: 4, inputs: [value('x', 1, [2, 4])], outputs: [value('y', 1, [2, 4])] },
          initializers: [isWhole ? floats('c', [2, 4], [...second, ...second]) : floats('c', [4], second)],
        });
        const raised = retarget(bytes, { form: 'exp', opset: 7 });
        if (broadcast === 1 && axis !== undefined) {
          await expect(raised).rejects.toMatchObject({ what: expect.stringContaining("'here'") });
          continue;
        }
        const { y } = await run(await (await raised).output.bytes(), { x });
        expect(y).toEqual(
          x.data.map((one, at) => expect.closeTo(operation?.(one, second[at % 4] ?? 0) ?? 0, 5)),
        );
      }
  },
);

/** The imports of opset 13 as they may stand in a file. */
const IMPORTS = {
  'ai.onnx': [{ domain: 'ai.onnx', version: 13 }],
  'both names': [
    { domain: 'ai.onnx', version: 13 },
    { domain: '', version: 13 },
  ],
  'another domain before': [
    { domain: 'local', version: 1 },
    { domain: '', version: 13 },
  ],
};

test.each(Object.entries(IMPORTS))('the import %s gets the new number', async (_, opsetImport) => {
  const plain = decode(model({ nodes: [node('Exp', ['x'], ['y'])] }));
  const bytes = onnx.ModelProto.encode({ ...plain, opsetImport }).finish();
  const raised = await (await retarget(bytes, { form: 'exp', opset: 17 })).output.bytes();
  const domain = opsetImport.find((one) => one.domain !== 'local')?.domain;
  const others = opsetImport.filter((one) => one.domain === 'local');
  const now = decode(raised).opsetImport?.map((one) => ({
    domain: one.domain ?? '',
    version: Number(one.version),
  }));
  expect(now).toEqual([...others, { domain, version: 17 }]);
  expect(await (await undo(raised)).bytes()).toEqual(bytes);
});

test('a model without an import, which has opset 1, gets one', async () => {
  const plain = decode(model({ nodes: [node('Exp', ['x'], ['y'])] }));
  const bytes = onnx.ModelProto.encode({ ...plain, opsetImport: [], irVersion: 2 }).finish();
  const raised = await (await retarget(bytes, { form: 'exp', opset: 6 })).output.bytes();
  expect([...(await scan(raised)).graph.opsets]).toEqual([['', 6]]);
  expect(await (await undo(raised)).bytes()).toEqual(bytes);
});

describe('a node that changes its meaning in the new opset is refused by name', () => {
  test.each<readonly [onnx.INodeProto, number, number]>([
    [node('Softmax', ['x'], ['y'], { axis: 0 }, { name: 'here' }), 12, 13],
    [node('Add', ['x', 'b'], ['y'], { broadcast: 1, axis: 1 }, { name: 'here' }), 6, 7],
    [node('Dropout', ['x'], ['y'], {}, { name: 'here' }), 6, 7],
    [node('Dropout', ['x'], ['y'], { is_test: 0 }, { name: 'here' }), 6, 7],
    [node('Dropout', ['x'], ['y', 'mask'], {}, { name: 'here' }), 9, 10],
    [node('BatchNormalization', ['x', 'b', 'b', 'b', 'b'], ['y', 'm', 'v'], {}, { name: 'here' }), 13, 14],
    [node('Clip', ['x'], ['y'], { min: { f: 0 } }, { name: 'here' }), 10, 11],
    [node('ReduceSum', ['x'], ['y'], { axes: [1] }, { name: 'here' }), 11, 13],
    [node('Squeeze', ['x'], ['y'], { axes: [1] }, { name: 'here' }), 12, 13],
    [
      node(
        'Resize',
        ['x', '', 'b'],
        ['y'],
        { coordinate_transformation_mode: 'tf_half_pixel_for_nn' },
        { name: 'here' },
      ),
      11,
      18,
    ],
    [node('ConvTranspose', ['x', 'w'], ['y'], { auto_pad: 'SAME_LOWER' }, { name: 'here' }), 10, 11],
    [node('ConvTranspose', ['x', 'w'], ['y'], { output_shape: [8] }, { name: 'here' }), 10, 18],
    [node('OneHot', ['x', 'b', 'b'], ['y'], {}, { name: 'here' }), 9, 11],
    [node('Split', ['x'], ['y', 'y2'], {}, { name: 'here' }), 17, 18],
    [node('Dropout', ['x'], ['y', 'mask'], { ratio: { f: 0.5 } }, { name: 'here' }), 10, 12],
    ...['Affine', 'Scale', 'ScaledTanh', 'ParametricSoftplus'].map(
      (name) => [node(name, ['x'], ['y'], {}, { name: 'here' }), 9, 10] as const,
    ),
  ])('%j', async (one, from, to) => {
    const bytes = model({
      nodes: [one, node('Relu', ['y'], ['z'])],
      opset: from,
      outputs: [value('z', 1)],
      initializers: [bias],
    });
    await expect(swap(bytes, { opset: to })).rejects.toMatchObject({
      code: 'bad-usage',
      what: expect.stringContaining("'here'"),
    });
    expect((await scan(bytes)).graph.opsets.get('')).toBe(from);
  });

  test('in the body of a node as well', async () => {
    const bytes = model({
      nodes: [
        ifNode(
          'y',
          'o',
          [node('Softmax', ['x'], ['o'], { axis: 0 }, { name: 'inner' })],
          [node('Relu', ['x'], ['o'])],
        ),
      ],
      opset: 12,
      inputs: [value('x', 1), value('cond', 9, [])],
    });
    expect(opsetObstacle(await scan(bytes), 13)?.what).toContain("'inner'");
  });

  test('in a function, which has an opset of its own', async () => {
    const act = {
      ...{ name: 'Act', domain: 'local', input: ['p'], output: ['q'], node: [node('Relu', ['p'], ['q'])] },
      opsetImport: [{ domain: '', version: 17 }],
    };
    const bytes = model({
      nodes: [node('Act', ['x'], ['y'], {}, { domain: 'local' })],
      ...{ opset: 17, functions: [act], domains: { local: 1 } },
    });
    await expect(swap(bytes, { opset: 18 })).rejects.toMatchObject({
      what: expect.stringMatching(/from opset 17 to 18: .*Act.* has an opset of its own$/),
      fix: 'Inline its functions first, with onnx.inliner.inline_local_functions',
    });
  });

  test.each([
    [11, 'lower'],
    [999, 'unknown'],
  ])('opset %i is %s', async (opset) => {
    await expect(swap(model({ nodes: [node('Relu', ['x'], ['y'])], opset: 12 }), { opset })).rejects.toThrow(
      /cannot be raised from opset/,
    );
  });
});

test('an operator that does not change is raised without an edit but the number, by retarget too', async () => {
  const bytes = model({ nodes: [node('Exp', ['x'], ['y'])], opset: 13 });
  const { output } = await retarget(bytes, { form: 'exp', opset: 18 });
  const raised = await output.bytes();
  expect((await scan(raised)).graph.opsets.get('')).toBe(18);
  expect(await (await undo(raised)).bytes()).toEqual(bytes);
});

test('the table is of operators and rising opsets', () => {
  for (const changes of Object.values(OPSET_CHANGES)) {
    const opsets = changes.split(' ').map((change) => Number.parseInt(change, 10));
    expect(opsets).toEqual([...new Set(opsets)].toSorted((a, b) => a - b));
  }
});
