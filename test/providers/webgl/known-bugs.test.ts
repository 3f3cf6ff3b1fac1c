import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { onnx } from '../../../proto/onnx.js';
import { fix } from '../../../src/mish/fixes.js';
import { retarget } from '../../../src/mish/retarget.js';
import { swap } from '../../../src/mish/swap.js';
import { scan } from '../../../src/onnx/scan.js';
import { webglMistakes } from '../../../src/providers/webgl/known-bugs.js';
import { swapped } from '../../support/graph.js';
import { floats, ints, model, node, value } from '../../support/model.js';
import { bytesOf, REAL_MODELS } from '../../support/models.js';
import {
  fusedOutput,
  readFusedOutput,
  readOutput,
  residualNet,
  sharedPlainProgram,
  sharedProgram,
} from '../../support/webgl-models.js';
import { openWebglPage, type WebglPage } from '../../support/webgl-page.js';
import { numbers, webglError } from '../../support/webgl-run.js';

let page: WebglPage;
beforeAll(async () => {
  page = await openWebglPage();
});
afterAll(() => page.close());

const F32 = 1;
const I32 = 6;
const f32 = (name: string, ...dims: number[]) => value(name, F32, dims);
const messages = async (bytes: Uint8Array) =>
  webglMistakes(await scan(bytes)).map(({ op, message }) => `${op}: ${message}`);

function of(
  nodes: onnx.INodeProto[],
  outputs: onnx.IValueInfoProto[],
  initializers: onnx.ITensorProto[] = [],
  { x = [1, 2, 4, 4], opset = 18 } = {},
): Uint8Array {
  return model({ nodes, inputs: [f32('x', ...x)], outputs, initializers, opset });
}

/** What is below zero is where Relu matters. */
const BELOW = [-2];
const reluModels: [string, Uint8Array, RegExp][] = [
  ['a Conv without, after one with a Relu', sharedProgram(), /run it as conv_c, though.*activation/],
  ['a Conv with a Relu, after one without', sharedPlainProgram(), /run it as conv_plain/],
  ['a Conv’s output that is the model’s', fusedOutput(), /also applies the next node, Relu, to the output c/],
];

test('an operator with the name of a property of all objects has no known bug', async () => {
  for (const name of Object.getOwnPropertyNames(Object.prototype))
    expect(await messages(of([node(name, ['x'], ['y'])], [f32('y', 1, 2, 4, 4)])), name).toEqual([]);
});

describe('Relu after Conv', () => {
  test.each(reluModels)('%s: wrong, and foretold', async (_, bytes, says) => {
    expect(await webglError(page, bytes, BELOW)).toBe(2);
    expect(await messages(bytes)).toEqual([expect.stringMatching(says)]);
  });

  test.each(reluModels)('%s: right with fix', async (_, bytes) => {
    const fixed = await (await fix(bytes)).output.bytes();
    expect(await webglError(page, fixed, BELOW)).toBe(0);
    expect(await messages(fixed)).toEqual([]);
  });

  test.each(reluModels)('%s: right as Mish in the exp form', async (_, bytes) => {
    const { bytes: mish } = await swapped(bytes, { form: 'exp' });
    expect(await webglError(page, mish, BELOW)).toBeLessThan(1e-6);
    expect(await messages(mish)).toEqual([]);
  });

  test('a residual net is wrong by much, and right with either rewrite', async () => {
    expect(await webglError(page, residualNet())).toBeGreaterThan(1);
    expect(await messages(residualNet())).not.toEqual([]);
    for (const { output } of [await fix(residualNet()), await swap(residualNet(), { form: 'exp' })]) {
      const bytes = await output.bytes();
      expect(await webglError(page, bytes)).toBeLessThan(1e-5);
      expect(await messages(bytes)).toEqual([]);
    }
  });

  test('Sigmoid and Clip are mixed up just as well', async () => {
    expect(await webglError(page, sharedProgram('Sigmoid'), BELOW)).toBeGreaterThan(2);
    const [message] = await messages(sharedProgram('Sigmoid'));
    expect(message).toMatch(/their fused activations differ$/);
    const fixed = await (await fix(sharedProgram('Sigmoid'))).output.bytes();
    expect(await webglError(page, fixed, BELOW)).toBeLessThan(1e-6);
  });

  test('convolutions of other sizes do not meet', async () => {
    const bytes = of(
      [
        node('Conv', ['x', 'w'], ['c']),
        node('Relu', ['c'], ['y']),
        node('Conv', ['x', 'v'], ['z'], { pads: [1, 1, 1, 1] }),
      ],
      [f32('y', 1, 1, 4, 4), f32('z', 1, 1, 4, 4)],
      [floats('w', [1, 2, 1, 1], numbers(2)), floats('v', [1, 2, 3, 3], numbers(18))],
    );
    expect(await webglError(page, bytes)).toBeLessThan(1e-5);
    expect(await messages(bytes)).toEqual([]);
  });

  test('kernels of other sizes that fill as many texels do', async () => {
    const bytes = of(
      [
        node('Conv', ['x', 'w'], ['c']),
        node('Relu', ['c'], ['y']),
        node('Conv', ['x', 'v'], ['z'], { strides: [1, 1], pads: [0, 0, 0, 1] }),
      ],
      [f32('y', 1, 1, 4, 4), f32('z', 1, 1, 4, 4)],
      [floats('w', [1, 2, 1, 1], numbers(2)), floats('v', [1, 2, 1, 2], numbers(4))],
    );
    expect(await webglError(page, bytes)).toBeGreaterThan(0.1);
    expect(await messages(bytes)).toHaveLength(1);
  });

  test('groups have programs of their own', async () => {
    const group = { group: 2 };
    const bytes = of(
      [
        node('Conv', ['x', 'w'], ['c'], group),
        node('Relu', ['c'], ['y']),
        node('Conv', ['x', 'w'], ['z'], group),
      ],
      [f32('y', 1, 2, 4, 4), f32('z', 1, 2, 4, 4)],
      [floats('w', [2, 1, 1, 1], [2, -3])],
    );
    expect(await webglError(page, bytes)).toBeLessThan(1e-5);
    expect(await messages(bytes)).toEqual([]);
  });
});

describe('outputs that nodes read', () => {
  const outputs = [f32('y', 4), f32('z', 4), f32('u', 4)];
  const identity = of(
    [
      node('Neg', ['x'], ['h']),
      node('Identity', ['h'], ['y']),
      node('Abs', ['x'], ['z']),
      node('Neg', ['z'], ['u']),
    ],
    outputs,
    [],
    { x: [4] },
  );

  test.each([
    ['after a fused Relu’s', readOutput(), [3]],
    ['after an Identity’s', identity, undefined],
  ])('%s: wrong, and foretold', async (_, bytes, data) => {
    expect(await webglError(page, bytes, data)).toBeGreaterThan(1);
    expect(await messages(bytes)).toEqual([expect.stringMatching(/wrong output z/)]);
  });

  test('the fused Relu’s own does not run at all', async () => {
    await expect(webglError(page, readFusedOutput(), BELOW)).rejects.toThrow('does not have value');
    expect(await messages(readFusedOutput())).toEqual([expect.stringMatching(/wrong output y/)]);
    const fixed = await (await fix(readFusedOutput())).output.bytes();
    expect(await webglError(page, fixed, BELOW)).toBe(0);
  });

  test('before it they are right', async () => {
    const bytes = of(
      [
        node('Abs', ['x'], ['z']),
        node('Neg', ['z'], ['u']),
        node('Neg', ['x'], ['h']),
        node('Identity', ['h'], ['y']),
      ],
      [f32('z', 4), f32('u', 4), f32('y', 4)],
      [],
      { x: [4] },
    );
    expect(await webglError(page, bytes)).toBe(0);
    expect(await messages(bytes)).toEqual([]);
  });
});

const gemm = (y: string, attributes: Parameters<typeof node>[3]) =>
  node('Gemm', ['x', 'w', 'c'], [y], attributes);
const square = [floats('w', [4, 4], numbers(16)), floats('c', [4], numbers(4))];
const twice = [f32('y', 3, 4), f32('z', 3, 4)];
const resize = (y: string, scales: string) => node('Resize', ['x', '', scales], [y], { mode: 'linear' });
const window = { kernel_shape: [2, 2], dilations: [2, 2] };
const toInt = node('Cast', ['x'], ['i'], { to: I32 });
const toFloat = node('Cast', ['j'], ['y'], { to: F32 });

describe('other mistakes, each foretold', () => {
  const cases: [string, Uint8Array, RegExp][] = [
    [
      'Gemm, transB',
      of([gemm('y', {}), gemm('z', { transB: 1 })], twice, square, { x: [3, 4] }),
      /transA, transB, alpha/,
    ],
    [
      'Gemm, alpha',
      of([gemm('y', {}), gemm('z', { alpha: { f: 2 } })], twice, square, { x: [3, 4] }),
      /alpha or beta/,
    ],
    [
      'Tile, repeats',
      of(
        [node('Tile', ['x', 'a'], ['y']), node('Tile', ['x', 'b'], ['z'])],
        [f32('y', 2, 4), f32('z', 4, 2)],
        [ints('a', [2], [1, 2]), ints('b', [2], [2, 1])],
        { x: [2, 2] },
      ),
      /their repeats/,
    ],
    [
      'Resize, scales',
      of(
        [resize('y', 's'), resize('z', 't')],
        [f32('y', 1, 2, 8, 8), f32('z', 1, 2, 12, 12)],
        [floats('s', [4], [1, 1, 2, 2]), floats('t', [4], [1, 1, 3, 3])],
      ),
      /scales or sizes/,
    ],
    [
      'Clip with a lower bound only',
      of([node('Clip', ['x', 'a'], ['y'])], [f32('y', 4)], [floats('a', [], [0])], { x: [4] }),
      /lower bound/,
    ],
    [
      'Shape with a start',
      of([node('Shape', ['x'], ['j'], { start: 1 }), toFloat], [f32('y', 3)]),
      /ignores start and end/,
    ],
    [
      'MaxPool with dilations',
      of([node('MaxPool', ['x'], ['y'], window)], [f32('y', 1, 2, 2, 2)]),
      /leaves out dilations/,
    ],
    [
      'AveragePool with dilations',
      of([node('AveragePool', ['x'], ['y'], window)], [f32('y', 1, 2, 2, 2)], [], { opset: 19 }),
      /dilations/,
    ],
    [
      'LRN',
      of([node('LRN', ['x'], ['y'], { size: 3, alpha: { f: 1 } })], [f32('y', 1, 4, 2, 2)], [], {
        x: [1, 4, 2, 2],
      }),
      /beyond the first and the last channel/,
    ],
    [
      'Pad that reflects beside an axis of length 1',
      of(
        [node('Pad', ['x', 'pads'], ['y'], { mode: 'reflect' })],
        [f32('y', 1, 4, 5)],
        [ints('pads', [6], [0, 0, 1, 0, 1, 1])],
        { x: [1, 3, 3] },
      ),
      /reflect wrong elements where an axis has length 1/,
    ],
    [
      'Cast to integers',
      of([toInt, node('Neg', ['i'], ['j']), toFloat], [f32('y', 4)], [], { x: [4] }),
      /without rounding/,
    ],
    [
      'Cast to bool',
      of([node('Cast', ['x'], ['j'], { to: 9 }), toFloat], [f32('y', 4)], [], { x: [4] }),
      /other than 0 and 1/,
    ],
    [
      'Div of integers',
      of(
        [
          node('Ceil', ['x'], ['k']),
          node('Cast', ['k'], ['i'], { to: I32 }),
          node('Div', ['i', 'two'], ['j']),
          toFloat,
        ],
        [f32('y', 4)],
        [{ name: 'two', dataType: I32, dims: [], int32Data: [2] }],
        { x: [4] },
      ),
      /divides integers/,
    ],
  ];

  test.each(cases)('%s', async (_, bytes, says) => {
    expect(await webglError(page, bytes)).toBeGreaterThan(0.05);
    expect(await messages(bytes)).toContainEqual(expect.stringMatching(says));
  });

  const s = ints('s', [2], [1, -1]);
  const kernels = (z: string) => node('Conv', ['x', z === 'z' ? 'v' : 'w'], [z], { auto_pad: 'SAME_UPPER' });
  const reshape = [node('Reshape', ['x', 's'], ['r'])];
  const curable: [string, Uint8Array, RegExp][] = [
    [
      'a function of what was reshaped',
      of([...reshape, node('Exp', ['r'], ['y'])], [f32('y', 1, 32)], [s]),
      /wrong places/,
    ],
    [
      'a product of what was flattened',
      of(
        [node('Flatten', ['x'], ['r']), node('Mul', ['r', 'b'], ['y'])],
        [f32('y', 1, 32)],
        [floats('b', [1, 32], numbers(32))],
      ),
      /wrong places/,
    ],
    [
      'Softmax of what was reshaped',
      of([...reshape, node('Softmax', ['r'], ['y'])], [f32('y', 1, 32)], [s]),
      /wrong/,
    ],
    [
      'Pad of what was reshaped',
      of([...reshape, node('Pad', ['r', 'p'], ['y'])], [f32('y', 1, 34)], [s, ints('p', [4], [0, 1, 0, 1])]),
      /wrong places/,
    ],
    [
      'DepthToSpace',
      of(
        [node('DepthToSpace', ['x'], ['r'], { blocksize: 2 }), node('Neg', ['r'], ['y'])],
        [f32('y', 1, 1, 4, 4)],
        [],
        {
          x: [1, 4, 2, 2],
        },
      ),
      /wrong places/,
    ],
    [
      'an input that a Resize reads as well',
      of(
        [node('Resize', ['x', '', 't'], ['y'], { mode: 'linear' }), node('Neg', ['x'], ['z'])],
        [f32('y', 1, 2, 8, 8), f32('z', 1, 2, 4, 4)],
        [floats('t', [4], [1, 1, 2, 2])],
      ),
      /after a Resize has read it/,
    ],
    [
      'kernels whose size only the weights say',
      of(
        [kernels('y'), kernels('z')],
        [f32('y', 1, 1, 4, 4), f32('z', 1, 1, 4, 4)],
        [floats('w', [1, 2, 1, 1], numbers(2)), floats('v', [1, 2, 3, 3], numbers(18))],
      ),
      /kernel sizes differ/,
    ],
    [
      'one bound of a Clip, taken in by a Conv',
      of(
        [node('Conv', ['x', 'w'], ['c']), node('Clip', ['c'], ['y'], { max: { f: 0 } })],
        [f32('y', 1, 1, 4, 4)],
        [floats('w', [1, 2, 1, 1], numbers(2))],
        { opset: 10 },
      ),
      /only bound/,
    ],
  ];

  test('powers of negative numbers, which GLSL leaves undefined: some GPUs have them', async () => {
    const power = (exponent: number) =>
      of([node('Pow', ['x', 'n'], ['y'])], [f32('y', 4)], [floats('n', [], [exponent])], { x: [4] });
    for (const exponent of [2, 3]) {
      expect(await messages(power(exponent))).toEqual([
        expect.stringMatching(/cannot compute powers of negative numbers/),
      ]);
      const fixed = await (await fix(power(exponent))).output.bytes();
      expect(await webglError(page, fixed)).toBeLessThan(1e-5);
      expect(await messages(fixed)).toEqual([]);
    }
    expect(await messages(power(4))).toHaveLength(1);
    expect(await messages(power(0.5))).toEqual([]);
  });

  test.each(curable)('%s, which fix cures', async (_, bytes, says) => {
    const error = await webglError(page, bytes);
    expect(error > 0.05 || Number.isNaN(error)).toBe(true);
    expect(await messages(bytes)).toContainEqual(expect.stringMatching(says));
    const fixed = await (await fix(bytes)).output.bytes();
    expect(await webglError(page, fixed)).toBeLessThan(1e-5);
    expect(await messages(fixed)).toEqual([]);
  });

  test.each([
    ['Gemm alike', of([gemm('y', { transB: 1 }), gemm('z', { transB: 1 })], twice, square, { x: [3, 4] })],
    [
      'Clip with both bounds',
      of(
        [node('Clip', ['x', 'a', 'b'], ['y'])],
        [f32('y', 4)],
        [floats('a', [], [0]), floats('b', [], [1])],
        { x: [4] },
      ),
    ],
    [
      'MaxPool with dilations of 1',
      of([node('MaxPool', ['x'], ['y'], { ...window, dilations: [1, 1] })], [f32('y', 1, 2, 3, 3)]),
    ],
  ])('none in %s', async (_, bytes) => {
    expect(await webglError(page, bytes)).toBeLessThan(1e-5);
    expect(await messages(bytes)).toEqual([]);
  });
});

describe('small models of the kinds that were wrong, after --target webgl', () => {
  const b32 = (count: number) => floats('b', [count], numbers(count));
  const same = { pads: [1, 1, 1, 1] };
  const [w, v] = [floats('w', [3, 3, 3, 3], numbers(81)), floats('v', [3, 3, 3, 3], numbers(100).slice(19))];
  const shape = ints('s', [2], [1, -1]);
  const image = { x: [1, 3, 8, 8], opset: 17 };
  const reshaped = { x: [1, 10, 4, 4], opset: 11 };
  const after = f32('y', 1, 160);
  const relu6 = [floats('lo', [], [0]), floats('hi', [], [6])];
  const one: [string, Uint8Array][] = [
    [
      'Conv, Relu, Conv, Sigmoid',
      of(
        [
          node('Conv', ['x', 'w', 'b'], ['a'], same),
          node('Relu', ['a'], ['r']),
          node('Conv', ['r', 'v', 'b'], ['c'], same),
          node('Sigmoid', ['c'], ['y']),
        ],
        [f32('y', 1, 3, 8, 8)],
        [w, v, b32(3)],
        image,
      ),
    ],
    [
      'a block with ReLU6',
      of(
        [
          node('Conv', ['x', 'w', 'b'], ['a'], same),
          node('Clip', ['a', 'lo', 'hi'], ['q']),
          node('Conv', ['q', 'v', 'b'], ['c'], same),
          node('Add', ['c', 'x'], ['t']),
          node('Relu', ['t'], ['y']),
        ],
        [f32('y', 1, 3, 8, 8)],
        [w, v, b32(3), ...relu6],
        image,
      ),
    ],
    [
      'Reshape, Relu',
      of([node('Reshape', ['x', 's'], ['p']), node('Relu', ['p'], ['y'])], [after], [shape], reshaped),
    ],
    [
      'two that were reshaped, multiplied',
      of(
        [
          node('Reshape', ['x', 's'], ['p']),
          node('Neg', ['x'], ['n']),
          node('Reshape', ['n', 's'], ['q']),
          node('Mul', ['p', 'q'], ['y']),
        ],
        [after],
        [shape],
        reshaped,
      ),
    ],
  ];

  test.each(one)('%s', async (_, bytes) => {
    expect(await webglError(page, bytes)).toBeGreaterThan(0.05);
    for (const write of [swap, retarget]) {
      const { output } = await write(bytes, { target: 'webgl' });
      const written = await output.bytes();
      expect(await webglError(page, written)).toBeLessThan(1e-3);
      expect(await messages(written)).toEqual([]);
    }
  });
});

test('real models are read without a word of it', async () => {
  for (const path of Object.values(REAL_MODELS)) {
    for (const { kind, message } of webglMistakes(await scan(bytesOf(path)))) {
      expect(kind).toBe('mistake');
      expect(message).toMatch(/^WebGL/);
    }
  }
});
