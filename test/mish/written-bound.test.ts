import { expect, test } from 'vitest';
import { inspect } from '../../src/mish/inspect.js';
import { swap } from '../../src/mish/swap.js';
import { graph } from '../support/bodies.js';
import { floats, ints, type ModelParts, model, node, value } from '../support/model.js';

type Nodes = ModelParts['nodes'];
const domains = { local: 1 };
const opsetImport = [{ domain: '', version: 18 }];
const max = (input: string, output: string) => node('Max', [input, 'zero'], [output]);
const zero = node('Constant', [], ['zero'], { value_float: { f: 0 } });
const layer = node('MatMul', ['x', 'w'], ['m']);
const ms = { domain: 'com.microsoft' };
const own = { domain: 'local' };

/** Nodes that compute `a` from `x`, and whether a Max of `a` and 0 is an activation. */
const BEFORE: Readonly<Record<string, readonly [Nodes, boolean]>> = {
  Einsum: [[node('Einsum', ['x', 'w'], ['a'], { equation: 'bi,ij->bj' })], true],
  'a layer of ONNX Runtime': [[node('FusedMatMul', ['x', 'w'], ['a'], {}, ms)], true],
  'another operator of ONNX Runtime': [[node('BiasGelu', ['x', 'w'], ['a'], {}, ms)], false],
  'an operator of others': [[node('MatMul', ['x', 'w'], ['a'], {}, { domain: 'com.example' })], false],
  'a bias that is subtracted': [[layer, node('Sub', ['m', 'w'], ['a'])], true],
  'a bias behind an Identity': [
    [layer, node('Identity', ['w'], ['v']), node('Sub', ['m', 'v'], ['a'])],
    true,
  ],
  'what an Identity of others gives': [
    [layer, node('Identity', ['w'], ['v'], {}, { domain: 'com.example' }), node('Sub', ['m', 'v'], ['a'])],
    false,
  ],
  'a difference': [[layer, node('Sub', ['m', 'x'], ['a'])], false],
  'one minus a layer': [[layer, node('Sub', ['w', 'm'], ['a'])], false],
  'a normalisation written out': [
    [
      node('ReduceMean', ['x'], ['mean']),
      node('Sub', ['x', 'mean'], ['d']),
      node('Mul', ['d', 'd'], ['q']),
      node('Sqrt', ['q'], ['s']),
      node('Div', ['d', 's'], ['n']),
      node('Mul', ['n', 'w'], ['v']),
      node('Add', ['v', 'w'], ['a']),
    ],
    true,
  ],
  'a quotient': [[node('Sub', ['x', 'w'], ['d']), node('Div', ['d', 'w'], ['a'])], false],
  'a quotient of a layer by a constant': [[layer, node('Div', ['m', 'w'], ['a'])], true],
  'a quotient of a layer by a value': [[layer, node('Div', ['m', 'x'], ['a'])], false],
  'a constant divided by a layer': [[layer, node('Div', ['w', 'm'], ['a'])], false],
  'a bias that is subtracted and gets its shape on the way': [
    [layer, node('Transpose', ['w'], ['v']), node('Sub', ['m', 'v'], ['a'])],
    true,
  ],
  'a layer that is cast': [
    [layer, node('Cast', ['m'], ['h'], { to: 10 }), node('Cast', ['h'], ['a'], { to: 1 })],
    true,
  ],
  'a dropout': [[layer, node('Dropout', ['m'], ['a'])], true],
  'a layer and its pooling': [
    [layer, node('Unsqueeze', ['m', 'axis'], ['u']), node('MaxPool', ['u'], ['a'], { kernel_shape: [1] })],
    true,
  ],
  'a pooling alone': [
    [node('Unsqueeze', ['x', 'axis'], ['u']), node('MaxPool', ['u'], ['a'], { kernel_shape: [1] })],
    false,
  ],
  'a layer that is quantised': [
    [
      layer,
      node('QuantizeLinear', ['m', 'step', 'offset'], ['q']),
      node('DequantizeLinear', ['q', 'step', 'offset'], ['a']),
    ],
    true,
  ],
  'a layer on integers': [
    [
      node('QuantizeLinear', ['x', 'step', 'offset'], ['q']),
      node('MatMulInteger', ['q', 'q', 'offset', 'offset'], ['i']),
      node('Cast', ['i'], ['f'], { to: 1 }),
      node('Mul', ['f', 'step'], ['a']),
    ],
    true,
  ],
  'a slice of a layer': [[layer, node('Split', ['m'], ['a', 'b'], { num_outputs: 2 })], false],
  'a layer in a function': [[node('Layer', ['x', 'w'], ['a'], {}, own)], true],
  'an operator in a function': [[node('Width', ['x', 'w'], ['a'], {}, own)], false],
  'layers in both branches': [[node('If', ['yes'], ['a'], branches('MatMul', 'Gemm'))], true],
  'a layer in one branch': [[node('If', ['yes'], ['a'], branches('MatMul', 'Sub'))], false],
};

function branches(first: string, second: string) {
  const branch = (op: string) => graph('branch', [node(op, ['x', 'w'], ['r'])], [], [value('r', 1, [2, 2])]);
  return { then_branch: branch(first), else_branch: branch(second) };
}

const func = (name: string, input: readonly string[], nodes: Nodes) => ({
  ...{ domain: 'local', name, input: [...input], output: ['r'], node: [...nodes], opsetImport },
});

const withMax = (nodes: Nodes, max: Nodes) =>
  model({
    domains,
    nodes: [zero, ...nodes, ...max],
    inputs: [value('x', 1, [2, 2])],
    outputs: [value('y', 1, [2, 2])],
    initializers: [
      floats('w', [2, 2], [1, 2, 3, 4]),
      { name: 'yes', dataType: 9, dims: [], rawData: Uint8Array.of(1) },
      { name: 'offset', dataType: 3, dims: [], rawData: Uint8Array.of(0) },
      floats('step', [], [0.1]),
      ints('axis', [1], [0]),
    ],
    functions: [
      func('Layer', ['i', 'k'], [node('MatMul', ['i', 'k'], ['r'])]),
      func('Width', ['i', 'k'], [node('Sub', ['i', 'k'], ['r'])]),
      func('Relu', ['i'], [zero, node('Max', ['i', 'zero'], ['r'])]),
    ],
  });

const sitesOf = async (bytes: Uint8Array) =>
  (await inspect(bytes)).sites.map(({ kind, output }) => `${kind} ${output}`);

test.each(Object.entries(BEFORE))('a maximum with 0 after %s', async (_, [nodes, isSite]) => {
  const bytes = withMax(nodes, [max('a', 'y')]);
  expect(await sitesOf(bytes)).toEqual(isSite ? ['relu y'] : []);
  const inFunction = withMax(nodes, [node('Relu', ['a'], ['y'], {}, own)]);
  expect(await sitesOf(inFunction)).toEqual(isSite ? ['relu r'] : []);
  const inBranch = graph('branch', [max('a', 'r')], [], [value('r', 1, [2, 2])]);
  const both = { then_branch: inBranch, else_branch: inBranch };
  expect(await sitesOf(withMax(nodes, [node('If', ['yes'], ['y'], both)]))).toEqual(
    isSite ? ['relu r', 'relu r'] : [],
  );
  expect((await swap(bytes)).report.sites).toHaveLength(isSite ? 1 : 0);
});

test('a maximum in a function that one call feeds with something else is a bound', async () => {
  const calls = [node('Relu', ['m'], ['b'], {}, own), node('Relu', ['x'], ['y'], {}, own)];
  expect(await sitesOf(withMax([layer], calls))).toEqual([]);
});

test('functions that call one another many times take no time', async () => {
  const calls = Array.from({ length: 300 }, (_, at) => node('F1', ['i'], [`o${at}`], {}, own));
  const again = Array.from({ length: 300 }, (_, at) => node('F2', ['i'], [`o${at}`], {}, own));
  const functions = [
    func('F0', ['i'], [...calls, node('Identity', ['o0'], ['r'])]),
    func('F1', ['i'], [...again, node('Identity', ['o0'], ['r'])]),
    func('F2', ['i'], [zero, node('Max', ['i', 'zero'], ['r'])]),
  ];
  const many = Array.from({ length: 300 }, (_, at) => node('F0', ['m'], [`y${at}`], {}, own));
  const start = performance.now();
  expect(await sitesOf(model({ domains, nodes: [layer, ...many], functions }))).toEqual([]);
  expect(performance.now() - start).toBeLessThan(5000);
});
