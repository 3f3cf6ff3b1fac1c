import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { onnx } from '../../../proto/onnx.js';
import { inlineBranches } from '../../../src/onnx/model-passes/inline-branches.js';
import { inlineFunctions } from '../../../src/onnx/model-passes/inline-functions.js';
import { decodeModel, encodeModel } from '../../../src/onnx/model-passes/model-proto.js';
import { scan } from '../../../src/onnx/scan.js';
import { graph } from '../../support/bodies.js';
import { floats, model, node, value } from '../../support/model.js';
import { f32, run } from '../../support/run.js';

const x = f32([-2, -0.5, 0, 1, 3]);
const F32 = 1;
const DOMAIN = 'local';
const opsetImport = [
  { domain: '', version: 18 },
  { domain: DOMAIN, version: 1 },
];
const label = fc.constantFrom('', 'a', 'b', 'p', 'x', 'v0', 'v1');
const operator = fc.constantFrom('Relu', 'Neg', 'Abs', 'Sigmoid');

/** A chain of nodes from one value to others, whose names are drawn from a few. Names are unique among the nodes of a graph. */
const chain = (prefix: string) =>
  fc
    .uniqueArray(fc.tuple(operator, label), {
      minLength: 1,
      maxLength: 4,
      selector: ([, name]) => name,
      comparator: (a, b) => a !== '' && a === b,
    })
    .map(
      (steps) =>
        (from: string): onnx.INodeProto[] =>
          steps.map(([op, name], at) =>
            node(op, [at === 0 ? from : `${prefix}${at - 1}`], [`${prefix}${at}`], {}, { name }),
          ),
    );
const lastOf = (nodes: readonly onnx.INodeProto[]) => nodes.at(-1)?.output?.[0] ?? '';

test('the nodes of branches and functions may have names of other nodes and of values', async () => {
  await fc.assert(
    fc.asyncProperty(chain('v'), chain('t'), chain('e'), chain('f'), async (main, yes, no, inner) => {
      const before = main('x');
      const [then, otherwise] = [yes(lastOf(before)), no('x')];
      const body = inner('p');
      const branch = (nodes: onnx.INodeProto[]) =>
        graph('branch', nodes, [], [value(lastOf(nodes), F32, [5])]);
      const bytes = model({
        nodes: [
          ...before,
          node('ReduceMax', ['x'], ['most'], { keepdims: 0 }),
          node('Cast', ['most'], ['cond'], { to: 9 }),
          node('If', ['cond'], ['chosen'], { then_branch: branch(then), else_branch: branch(otherwise) }),
          node('F', ['chosen'], ['once'], {}, { domain: DOMAIN }),
          node('F', ['chosen'], ['again'], {}, { domain: DOMAIN }),
          node('Add', ['once', 'again'], ['y']),
        ],
        domains: { [DOMAIN]: 1 },
        functions: [
          { name: 'F', domain: DOMAIN, input: ['p'], output: [lastOf(body)], node: body, opsetImport },
        ],
        inputs: [value('x', F32, [5])],
        outputs: [value('y', F32, [5])],
      });
      const proto = await decodeModel(await scan(bytes));
      expect(inlineFunctions(proto).inlined).toEqual(['F']);
      expect(inlineBranches(proto, { both: true })).toHaveLength(2);
      const [is, was] = [await run(encodeModel(proto), { x }), await run(bytes, { x })];
      // A sum of zeros has no sign here.
      expect(is.y?.map((number) => number + 0)).toEqual(was.y?.map((number) => number + 0));
    }),
    { numRuns: 30, seed: 5 },
  );
});

test('constants of functions stay apart, whatever the names of the functions', async () => {
  const names = [
    ['a', 'b.f'],
    ['a.b', 'f'],
    ['a.b.f', 'f'],
    ['a', 'b.f.f'],
    ['a.b', 'f.f'],
  ] as const;
  const imports = [...new Set(names.map(([domain]) => domain))].map((domain) => ({ domain, version: 1 }));
  const bytes = model({
    nodes: [
      ...names.map(([domain, name], at) => node(name, ['x'], [`y${at}`], {}, { domain })),
      node(
        'Sum',
        names.map((_, at) => `y${at}`),
        ['y'],
      ),
    ],
    domains: Object.fromEntries(imports.map(({ domain, version }) => [domain, version])),
    functions: names.map(([domain, name], at) => ({
      ...{ domain, name, input: ['p'], output: ['q'], opsetImport: [...opsetImport.slice(0, 1), ...imports] },
      node: [
        node('Constant', [], ['c'], { value: { tensor: floats('', [], [10 ** at]) } }),
        node('Mul', ['p', 'c'], ['q']),
      ],
    })),
    inputs: [value('x', F32, [5])],
    outputs: [value('y', F32, [5])],
  });
  const proto = await decodeModel(await scan(bytes));
  expect(inlineFunctions(proto).constants).toHaveLength(names.length);
  expect(await run(encodeModel(proto), { x })).toEqual(await run(bytes, { x }));
});
