import { describe, expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import type { FormName } from '../../src/mish/forms.js';
import { inspect } from '../../src/mish/inspect.js';
import { retarget } from '../../src/mish/retarget.js';
import { fromHalf, toHalf } from '../../src/onnx/scalar.js';
import { swapped } from '../support/graph.js';
import { floats, type ModelParts, model, node, value } from '../support/model.js';
import { constant, torchMish } from '../support/patterns.js';

const FORMS: readonly FormName[] = ['softplus', 'exp', 'native'];

/** The Mish in a model, in short. */
async function found(parts: ModelParts): Promise<string[]> {
  const { mish } = await inspect(model(parts));
  return mish.map(({ form, beta, output }) => `${form} ${beta} ${output}`);
}

describe('every form that onnx-mish writes is recognised', () => {
  const types = { f16: 10, f32: 1, f64: 11 } as const;
  const cases = FORMS.flatMap((form) =>
    Object.entries(types).flatMap(([name, type]) =>
      [1, 0.5, 2, 3, 10].map((beta) => ({ form, name, type, beta })),
    ),
  );
  test.each(cases)('$form in $name, β = $beta', async ({ form, type, beta }) => {
    const source = model({
      nodes: [node('Relu', ['x'], ['r']), node('Relu', ['r'], ['y'])],
      inputs: [value('x', type, [2])],
      outputs: [value('y', type, [2])],
    });
    const { mish } = await inspect((await swapped(source, { form, beta })).bytes);
    expect(mish.map((one) => [one.form, one.beta, one.output])).toEqual([
      [form, beta, 'r'],
      [form, beta, 'y'],
    ]);
  });

  test.each([6, 7, 10, 11])('with the Clip of opset %i', async (opset) => {
    const { bytes } = await swapped(model({ opset, ir: 3, nodes: [node('Relu', ['x'], ['y'])] }), {
      form: 'exp',
    });
    expect((await inspect(bytes)).mish).toMatchObject([{ form: 'exp', beta: 1 }]);
  });
});

describe('Mish that others wrote', () => {
  test.each(['x first', 'x last'] as const)('Softplus, Tanh, Mul, %s', async (order) => {
    expect(await found({ nodes: torchMish('x', 'y', order) })).toEqual(['softplus 1 y']);
  });

  test('sharpened, the constant an initializer, on either side', async () => {
    for (const sharp of [node('Mul', ['x', 'two'], ['s']), node('Mul', ['two', 'x'], ['s'])]) {
      const [softplus, tanh] = [node('Softplus', ['s'], ['p']), node('Tanh', ['p'], ['t'])];
      const nodes = [sharp, softplus, tanh, node('Mul', ['x', 't'], ['y'])];
      expect(await found({ nodes, initializers: [floats('two', [], [2])] })).toEqual(['softplus 2 y']);
    }
  });

  test('a constant as PyTorch 2 writes it, value_float', async () => {
    const nodes = [
      node('Constant', [], ['two'], { value_float: { f: 2 } }),
      node('Mul', ['x', 'two'], ['s']),
      node('Softplus', ['s'], ['p']),
      node('Tanh', ['p'], ['t']),
      node('Mul', ['t', 'x'], ['y']),
    ];
    expect(await found({ nodes })).toEqual(['softplus 2 y']);
  });

  test('two that share Softplus and Tanh', async () => {
    const [softplus, tanh, mul] = torchMish('x', 'y');
    const nodes = [softplus, tanh, mul, { ...mul, output: ['z'], name: 'other' }] as onnx.INodeProto[];
    expect(await found({ nodes })).toEqual(['softplus 1 y', 'softplus 1 z']);
  });

  test('the Mish inside a sharpened one, when others read it too', async () => {
    const nodes = [
      constant('b', 2),
      constant('c', 0.5),
      node('Mul', ['x', 'b'], ['s']),
      node('Mish', ['s'], ['m']),
      node('Mul', ['m', 'c'], ['y']),
    ];
    expect(await found({ nodes })).toEqual(['native 2 y']);
    const both = { nodes, outputs: [value('y', 1), value('m', 1)] };
    expect(await found(both)).toEqual(['native 1 m', 'native 2 y']);
  });

  test('a factor before and another after: Mish of a product', async () => {
    const nodes = [
      constant('b', 2),
      constant('c', 0.25),
      node('Mul', ['x', 'b'], ['s']),
      node('Mish', ['s'], ['m']),
      node('Mul', ['m', 'c'], ['y']),
    ];
    expect(await found({ nodes })).toEqual(['native 1 m']);
  });
});

describe('what looks like Mish and is not', () => {
  const [softplus, tanh, mul] = torchMish() as [onnx.INodeProto, onnx.INodeProto, onnx.INodeProto];
  const sp = softplus.output ?? [];
  const th = tanh.output?.[0] ?? '';
  const cases: Record<string, onnx.INodeProto[]> = {
    'the Softplus of another value': [node('Neg', ['x'], ['z']), { ...softplus, input: ['z'] }, tanh, mul],
    'the product with another value': [
      node('Neg', ['x'], ['z']),
      softplus,
      tanh,
      { ...mul, input: ['z', th] },
    ],
    'the factor squared': [softplus, tanh, { ...mul, input: [th, th] }],
    'another function than Tanh': [softplus, { ...tanh, opType: 'Sigmoid' }, mul],
    'another function than Softplus': [{ ...softplus, opType: 'Exp' }, tanh, mul],
    'a sum in place of the product': [softplus, tanh, { ...mul, opType: 'Add' }],
    'a Mul of three': [softplus, tanh, { ...mul, input: ['x', th, 'x'] }],
    'a Softplus of another domain': [{ ...softplus, domain: 'other' }, tanh, mul],
    Swish: [node('Sigmoid', ['x'], sp), { ...mul, input: ['x', sp[0] ?? ''] }],
    TanhExp: [node('Exp', ['x'], ['e']), node('Tanh', ['e'], ['t']), node('Mul', ['x', 't'], ['y'])],
  };
  test.each(Object.entries(cases))('%s', async (_, nodes) => {
    expect(await found({ nodes })).toEqual([]);
  });

  const scaled = (given: onnx.INodeProto, parts: Partial<ModelParts> = {}): ModelParts => ({
    nodes: [given, node('Mul', ['x', 'b'], ['s']), { ...softplus, input: ['s'] }, tanh, mul],
    ...parts,
  });
  test.each([0, -2, Number.NaN, Number.POSITIVE_INFINITY])('a sharpness of %d', async (beta) => {
    expect(await found(scaled(constant('b', beta)))).toEqual([]);
  });

  test('a sharpness that is an input of the model, and may change', async () => {
    const initializers = [floats('b', [], [2])];
    const parts = scaled(node('Neg', ['x'], ['unused']), { initializers });
    expect(await found(parts)).toHaveLength(1);
    expect(await found({ ...parts, inputs: [value('x', 1, [4]), value('b', 1, [])] })).toEqual([]);
  });

  test('a sharpness per channel', async () => {
    const initializers = [floats('b', [4], [1, 2, 3, 4])];
    expect(await found(scaled(node('Neg', ['x'], ['unused']), { initializers }))).toEqual([]);
  });

  test('a sharpness whose shape gives the result more dimensions than x has', async () => {
    const parts = (dims: number[], x: number[] | undefined) =>
      scaled(node('Neg', ['x'], ['unused']), {
        initializers: [floats('b', dims, [2])],
        inputs: [value('x', 1, x)],
        outputs: [value('y', 1)],
      });
    expect(await found(parts([1, 1, 1], [2, 3]))).toEqual([]);
    expect(await found(parts([1, 1], [2, 3]))).toHaveLength(1);
    expect(await found(parts([1], undefined))).toEqual([]);
    expect(await found(parts([], undefined))).toHaveLength(1);
  });

  describe('the exp form with another constant', () => {
    const exp = (cap: number, two: number, floor: number, other = two) => [
      constant('cap', cap),
      constant('two', two),
      constant('other', other),
      constant('floor', floor),
      node('Clip', ['x', 'floor', 'cap'], ['c']),
      node('Exp', ['c'], ['e']),
      node('Add', ['e', 'two'], ['e2']),
      node('Mul', ['e', 'e2'], ['w']),
      node('Add', ['w', other === two ? 'two' : 'other'], ['w2']),
      node('Div', ['w', 'w2'], ['r']),
      node('Mul', ['x', 'r'], ['y']),
    ];
    const lowest = -3.4028234663852886e38;

    test('as it should be', async () => {
      expect(await found({ nodes: exp(20, 2, lowest) })).toEqual(['exp 1 y']);
    });
    test.each([
      ['a lower bound', exp(5.5, 2, lowest)],
      ['a floor that bites', exp(20, 2, -5)],
      ['3 for 2', exp(20, 3, lowest)],
      ['3 for one 2', exp(20, 2, lowest, 3)],
    ])('%s', async (_, nodes) => {
      expect(await found({ nodes })).toEqual([]);
    });

    test('a bound of f16 as an attribute, on float32', async () => {
      const nodes = (max: number) => [
        constant('two', 2),
        node('Clip', ['x'], ['c'], { max: { f: max } }),
        ...exp(20, 2, lowest).slice(5),
      ];
      expect(await found({ opset: 10, nodes: nodes(20) })).toEqual(['exp 1 y']);
      expect(await found({ opset: 10, nodes: nodes(5.5) })).toEqual([]);
    });
  });

  test.each([5.4, 5.5, 5.53, 5.56, 6, 8, 11, 12, 20])(
    'in float16 with the bound %d: a note says where it gives NaN',
    async (cap) => {
      const nodes = [
        constant('cap', cap, 'f16'),
        constant('two', 2, 'f16'),
        constant('floor', -65504, 'f16'),
        node('Clip', ['x', 'floor', 'cap'], ['c']),
        node('Exp', ['c'], ['e']),
        node('Add', ['e', 'two'], ['e2']),
        node('Mul', ['e', 'e2'], ['w']),
        node('Add', ['w', 'two'], ['w2']),
        node('Div', ['w', 'w2'], ['r']),
        node('Mul', ['x', 'r'], ['y']),
      ];
      const source = model({ nodes, inputs: [value('x', 10, [4])], outputs: [value('y', 10, [4])] });
      const half = (value: number) => fromHalf(toHalf(value));
      const e = half(Math.exp(half(cap)));
      const w = half(e * half(e + 2));
      const { mish, notes } = await inspect(source);
      expect(mish).toHaveLength(1);
      expect(notes.filter((note) => note.includes('inputs above 5.5 give NaN'))).toHaveLength(
        Number.isNaN(w / half(w + 2)) ? 1 : 0,
      );
      const { output } = await retarget(source, { form: 'exp' });
      expect((await inspect(await output.bytes())).notes).toEqual([]);
    },
  );

  test('a pattern across the border of a body', async () => {
    const branch = { name: 'b', node: [mul], output: [value('y', 1)] };
    const nodes = [
      softplus,
      tanh,
      node('If', ['cond'], ['z'], { then_branch: { graph: branch }, else_branch: { graph: branch } }),
    ];
    expect(await found({ nodes, inputs: [value('x', 1, [4]), value('cond', 9, [])] })).toEqual([]);
  });

  test('a node with a nested graph, which would be deleted with it', async () => {
    const body = { name: 'b', node: [node('Neg', ['x'], ['n'])] };
    const [inside] = node('', [], [], { g: { graph: body } }).attribute ?? [];
    for (const at of [0, 1, 2]) {
      const nodes = torchMish('x', 'y').map((proto, index) =>
        index === at && inside ? { ...proto, attribute: [inside] } : proto,
      );
      expect(await found({ nodes, inputs: [value('x', 1, [4])] })).toEqual([]);
    }
  });

  test('names that are not UTF-8, which could not be written again', async () => {
    const source = model({ nodes: torchMish('qq', 'y'), inputs: [value('qq', 1, [4])] });
    const broken = source.map((byte, at) => (byte === 0x71 && source[at + 1] === 0x71 ? 0xff : byte));
    expect((await inspect(source)).mish).toHaveLength(1);
    expect((await inspect(broken)).mish).toEqual([]);
    const { output } = await retarget(broken, { form: 'exp' });
    expect(await output.bytes()).toEqual(broken);
  });
});

describe('the Clip of an exp form, its bounds as attributes', () => {
  const parts = (attributes: Record<string, { f: number }>, rest: Partial<ModelParts> = {}): ModelParts => ({
    opset: 10,
    nodes: [
      node('Clip', ['x'], ['c'], attributes),
      node('Exp', ['c'], ['e']),
      node('Add', ['e', 'two'], ['p']),
      node('Mul', ['e', 'p'], ['w']),
      node('Add', ['w', 'two'], ['q']),
      node('Div', ['w', 'q'], ['r']),
      node('Mul', ['x', 'r'], ['y']),
    ],
    initializers: [floats('two', [], [2])],
    ...rest,
  });

  test.each<[Record<string, { f: number }>, string[]]>([
    [{ max: { f: 20 } }, ['exp 1 y']],
    [{ max: { f: 20 }, min: { f: -65504 } }, ['exp 1 y']],
    [{ max: { f: 20 }, min: { f: -1e30 } }, ['exp 1 y']],
    // Mish to rounding, but not as we write it
    [{ max: { f: 19 } }, ['other 1 y']],
    [{ min: { f: -1e30 } }, ['other 1 y']],
    [{}, ['other 1 y']],
    [{ max: { f: 20 }, min: { f: 0 } }, []],
    [{ max: { f: 5 } }, []],
  ])('%j', async (attributes, wanted) => {
    expect(await found(parts(attributes))).toEqual(wanted);
  });

  test('is not known where the element type is not', async () => {
    const untyped = {
      inputs: [{ name: 'x' }],
      outputs: [{ name: 'y' }],
      initializers: [{ ...floats('two', [], [2]), dataType: 0 }],
    };
    expect(await found(parts({ max: { f: 20 } }, untyped))).toEqual([]);
  });
});

describe('operators that are not ONNX’s, or not whole, are no Mish', () => {
  const [softplus, tanh, mul] = torchMish();
  if (softplus === undefined || tanh === undefined || mul === undefined) throw new Error('no pattern');
  test.each<[string, onnx.INodeProto[]]>([
    ['a foreign Mul', [softplus, tanh, { ...mul, domain: 'com.example' }]],
    ['a foreign Tanh', [softplus, { ...tanh, domain: 'com.example' }, mul]],
    [
      'a Softplus with two outputs',
      [{ ...softplus, output: [...(softplus.output ?? []), 'more'] }, tanh, mul],
    ],
    ['a Mul of one', [softplus, tanh, { ...mul, input: ['x'] }]],
    ['a Mul of nothing', [softplus, tanh, { ...mul, input: ['', ''] }]],
    ['a Tanh of nothing', [softplus, { ...tanh, input: [''] }, mul]],
    ['another x', [{ ...softplus, input: ['z'] }, tanh, mul]],
  ])('%s', async (_, nodes) => {
    expect(await found({ nodes })).toEqual([]);
  });

  test('a Constant of another domain', async () => {
    const two = { ...constant('two', 2), domain: 'com.example' };
    const nodes = [
      two,
      node('Mul', ['x', 'two'], ['s']),
      node('Softplus', ['s'], ['p']),
      node('Tanh', ['p'], ['t']),
      node('Mul', ['x', 't'], ['y']),
    ];
    expect(await found({ nodes })).toEqual([]);
  });

  test('a slope that is too steep for a mixture', async () => {
    const mixture = (alpha: number) => [
      ...torchMish('x', 'm'),
      constant('share', 1 - alpha),
      constant('alpha', alpha),
      node('Mul', ['m', 'share'], ['a']),
      node('Mul', ['x', 'alpha'], ['b']),
      node('Add', ['a', 'b'], ['y']),
    ];
    // Whatever it is taken for, the Mish inside is one.
    expect(await found({ nodes: mixture(9) })).toEqual(['softplus 1 m']);
  });
});
