import { expect, test } from 'vitest';
import { createRandom } from '../../src/base/random.js';
import { inspect } from '../../src/mish/inspect.js';
import { swapped } from '../support/graph.js';
import { floats, type ModelParts, model, node, value } from '../support/model.js';
import { abs, add, type Expression, min, mul, neg, relu, spell, sub } from '../support/spellings.js';

const x = 'x';
const own = { domain: 'local' };
const opsetImport = [
  { domain: '', version: 17 },
  { domain: 'local', version: 1 },
];
const func = (name: string, nodes: ModelParts['nodes']) => ({
  ...{ domain: 'local', name, input: ['a'], output: ['b'], node: [...nodes], opsetImport },
});
/** Functions that compute ReLU: by its operator, by another function, and by a maximum. */
const FUNCTIONS: Record<string, ReturnType<typeof func>[]> = {
  Relu: [func('Act', [node('Relu', ['a'], ['b'])])],
  'a call': [
    func('Act', [node('Inner', ['a'], ['b'], {}, own)]),
    func('Inner', [node('Relu', ['a'], ['b'])]),
  ],
  Max: [
    func('Act', [node('Constant', [], ['z'], { value_float: { f: 0 } }), node('Max', ['a', 'z'], ['b'])]),
  ],
};

/** Of each, a call of ReLU is a part. */
const PARTS: Record<string, Expression> = {
  'an absolute value': add(relu(x), relu(neg(x))),
  'a minimum': sub(1, relu(sub(1, x))),
  'a maximum': add(0.5, relu(sub(x, 0.5))),
  'a clamp': sub(relu(x), relu(sub(x, 1))),
  LeakyReLU: sub(relu(x), mul(0.25, relu(neg(x)))),
  ReLU6: min(relu(x), 6),
};

/** A layer and an expression whose Relus are calls of a function. */
function withCalls(
  expression: Expression,
  functions: ReturnType<typeof func>[],
  more: ModelParts['nodes'] = [],
) {
  const parts = spell(expression, { type: 'f32', opset: 17, random: createRandom(1), vary: false });
  const nodes = parts.nodes.map((one) => (one.opType === 'Relu' ? { ...one, opType: 'Act', ...own } : one));
  return model({
    domains: { local: 1 },
    opset: 17,
    nodes: [node('MatMul', ['given', 'w'], [x]), ...nodes, ...more],
    initializers: [
      ...(parts.initializers ?? []).map((one) => ({ ...one, dims: [] })),
      floats('w', [2, 2], [1, 0, 0, 1]),
    ],
    inputs: [value('given', 1, ['N', 2])],
    outputs: [value('y', 1, ['N', 2])],
    functions,
  });
}

test.each(Object.keys(FUNCTIONS))(
  'a ReLU of a function (%s) stays where a call is part of another function',
  async (way) => {
    const functions = FUNCTIONS[way] ?? [];
    for (const [name, expression] of Object.entries(PARTS)) {
      // A call that is an activation by itself cannot be swapped apart from the others.
      for (const more of [[], [node('Act', [x], ['alone'], {}, own)]]) {
        const bytes = withCalls(expression, functions, more);
        const { bytes: after, report } = await swapped(bytes);
        expect(report.sites, name).toEqual([]);
        expect(after).toEqual(bytes);
        if (way !== 'Max')
          expect(report.skipped, name).toMatchObject([
            { output: 'b', why: expect.stringMatching(`part of (${name}|a clamp)`) },
          ]);
      }
    }
  },
);

test.each(Object.keys(FUNCTIONS))(
  'a ReLU of a function (%s) is a site where its calls are activations',
  async (way) => {
    const alone: Expression[] = [
      relu(x),
      mul(2, relu(x)),
      add(relu(x), x),
      relu(add(x, 0)),
      abs(relu(sub(x, 1))),
    ];
    // A maximum of a maximum follows no layer.
    if (way !== 'Max') alone.push(relu(relu(x)));
    for (const expression of alone) {
      const { sites, skipped } = await inspect(withCalls(expression, FUNCTIONS[way] ?? []));
      expect(skipped, JSON.stringify(expression)).toEqual([]);
      expect(sites.map(({ kind, output }) => `${kind} ${output}`)).toEqual(['relu b']);
    }
  },
);
