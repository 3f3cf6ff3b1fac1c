import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { indexCalls } from '../../src/onnx/function-calls.js';
import { indexGraphs } from '../../src/onnx/graph-index.js';
import { scan } from '../../src/onnx/scan.js';
import { graph, ifNode } from '../support/bodies.js';
import { floats, model, node, value } from '../support/model.js';

const inner = [node('Add', ['outer', 'w'], ['inner']), node('Mul', ['inner', 'inner'], ['out'])];
const document = await scan(
  model({
    nodes: [
      node('Neg', ['x'], ['outer']),
      ifNode('y', 'out', inner, [node('Identity', ['x'], ['x_again']), node('Neg', ['x_again'], ['out'])]),
      node('Clip', ['y', '', 'w'], ['z', 'spare']),
      node('Loop', ['n', '', 'x'], ['l'], {
        body: graph(
          'b',
          [node('Neg', ['x'], ['next'])],
          [value('i', 7), value('c', 9), value('x', 1)],
          [value('c', 9), value('next', 1)],
        ),
      }),
    ],
    inputs: [value('x', 1), value('cond', 9)],
    outputs: [value('z', 1), value('outer', 1)],
    initializers: [floats('w', [1], [1])],
  }),
);
const index = indexGraphs(document);
const [main, yes, no, body] = document.scopes;
if (main === undefined || yes === undefined || no === undefined || body === undefined)
  throw new Error('scopes are missing');

/** Where a value is used, as text. */
const uses = (scope: typeof main, name: string) =>
  index
    .uses(scope, name)
    .map((use) =>
      use.kind === 'input'
        ? `${use.scope.path}: ${use.node.opType}[${use.slot}]`
        : `${use.scope.path}: output ${use.slot}`,
    );

describe('a name', () => {
  test('belongs to the innermost scope that defines it', () => {
    expect(index.home(yes, 'outer')).toBe(main);
    expect(index.home(yes, 'w')).toBe(main);
    expect(index.home(yes, 'x')).toBe(main);
    expect(index.home(yes, 'inner')).toBe(yes);
    expect(index.home(body, 'x')).toBe(body); // the body's own input hides the graph's
    expect(index.home(body, 'outer')).toBe(main);
    expect(index.home(main, 'inner')).toBeUndefined();
    expect(index.home(no, 'inner')).toBeUndefined();
    expect(index.home(main, 'nowhere')).toBeUndefined();
  });

  test('is read at a slot from the producer that its scope finds', () => {
    for (const scope of document.scopes)
      for (const reader of scope.nodes)
        reader.inputs.forEach((name, slot) => {
          expect(index.source(scope, reader, slot)).toBe(index.producer(scope, name));
        });
  });

  test('has a producer only in the scope that defines it', () => {
    expect(index.producer(main, 'outer')?.opType).toBe('Neg');
    expect(index.producer(main, 'spare')?.opType).toBe('Clip');
    expect(index.producer(yes, 'out')?.opType).toBe('Mul');
    expect(index.producer(no, 'out')?.opType).toBe('Neg');
    for (const [scope, name] of [
      [yes, 'outer'],
      [main, 'out'],
      [main, 'x'],
      [main, 'w'],
    ] as const)
      expect(index.producer(scope, name)).toBeUndefined();
  });

  test('has its uses, those in nested graphs and as outputs too', () => {
    expect(uses(main, 'x')).toEqual([
      'graph: Neg[0]',
      'graph: Loop[2]',
      'graph/choose.else_branch: Identity[0]',
    ]);
    expect(uses(main, 'outer')).toEqual(['graph: output 1', 'graph/choose.then_branch: Add[0]']);
    expect(uses(main, 'w')).toEqual(['graph: Clip[2]', 'graph/choose.then_branch: Add[1]']);
    expect(uses(main, 'z')).toEqual(['graph: output 0']);
    expect(uses(yes, 'inner')).toEqual([`${yes.path}: Mul[0]`, `${yes.path}: Mul[1]`]);
    expect(uses(body, 'x')).toEqual([`${body.path}: Neg[0]`]);
    expect(uses(body, 'c')).toEqual([`${body.path}: output 0`]);
  });

  test('that is empty, or that nobody reads, has none', () => {
    for (const name of ['', 'spare', 'nowhere']) expect(uses(main, name)).toEqual([]);
  });

  test('that no scope defines is used in the scope that reads it', () => {
    expect(uses(main, 'n')).toEqual(['graph: Loop[0]']);
  });
});

describe('calls of functions', () => {
  const local = (name: string, nodes = [node('Neg', ['a'], ['b'])], overload = '') => ({
    name,
    overload,
    domain: 'l',
    input: ['a'],
    output: ['b'],
    node: nodes,
    opsetImport: [{ version: 18 }, { domain: 'l', version: 1 }],
  });
  const call = (name: string, overload = '', domain = 'l') =>
    node(name, ['x'], ['y'], {}, { domain, overload });

  test('are found by domain, name and overload, wherever they are', async () => {
    const found = await scan(
      model({
        domains: { l: 1 },
        nodes: [
          call('F'),
          call('F', 'other'),
          call('G'),
          call('F', '', 'm'),
          call('H'),
          ifNode('z', 'o', [node('F', ['x'], ['o'], {}, { domain: 'l' })], [node('Neg', ['x'], ['o'])]),
        ],
        functions: [
          local('F'),
          local('F', undefined, 'other'),
          local('G', [node('F', ['a'], ['b'], {}, { domain: 'l' })]),
          local('unused'),
        ],
      }),
    );
    const calls = indexCalls(found);
    expect(found.graph.nodes.map((one) => calls.callee(one)?.path)).toEqual([
      'function l.F',
      'function l.F:other',
      'function l.G',
      undefined,
      undefined,
      undefined,
    ]);
    const callers = found.functions.map((one) =>
      calls
        .callers(one)
        .map(({ node: { opType, overload }, scope }) => `${scope.path}: ${opType}${overload}`),
    );
    expect(callers).toEqual([
      ['graph: F', 'graph/choose.then_branch: F', 'function l.G: F'],
      ['graph: Fother'],
      ['graph: G'],
      [],
    ]);
    expect(calls.callers(found.graph)).toEqual([]);
  });

  test('are none where there are no functions', () => {
    const calls = indexCalls(document);
    expect(main.nodes.map((one) => calls.callee(one))).toEqual(main.nodes.map(() => undefined));
    expect(calls.callers(main)).toEqual([]);
  });
});

test('an output at a slot has the number of its name, and none where it is absent', async () => {
  const slots = fc.array(fc.constantFrom('', 'a', 'b', 'c'), { maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(fc.array(slots, { minLength: 1, maxLength: 6 }), async (lists) => {
      const nodes = lists.map((outputs) => node('Split', ['x'], outputs));
      const random = await scan(model({ nodes, inputs: [value('x', 1)] }));
      const numbers = indexGraphs(random);
      for (const one of random.graph.nodes) {
        for (const [slot, name] of [...one.outputs, ''].entries()) {
          const number = numbers.output(random.graph, one, slot);
          expect(number).toBe(name === '' ? -1 : numbers.number(random.graph, name));
          expect(numbers.usesOf(number)).toEqual(name === '' ? [] : numbers.uses(random.graph, name));
        }
      }
    }),
  );
});
