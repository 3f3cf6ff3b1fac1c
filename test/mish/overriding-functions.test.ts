import { expect, test } from 'vitest';
import { findSites } from '../../src/mish/sites.js';
import { swap } from '../../src/mish/swap.js';
import { inlineFunctions } from '../../src/onnx/model-passes/inline-functions.js';
import { decodeModel, encodeModel } from '../../src/onnx/model-passes/model-proto.js';
import { scan } from '../../src/onnx/scan.js';
import { allNodes, decode } from '../support/graph.js';
import { POINTS } from '../support/mish.js';
import { floats, model, node, value } from '../support/model.js';
import { f32, run } from '../support/run.js';

// A function with the name of an operator: ONNX leaves it to the runtime which of both a node calls.

const MICROSOFT = 'com.microsoft';
const nodes = [
  node('Relu', ['x'], ['a']),
  node('Softplus', ['a'], ['b']),
  node('Tanh', ['b'], ['c']),
  node('Mul', ['a', 'c'], ['d']),
  node('LeakyRelu', ['d'], ['e']),
  node('Clip', ['e', 'zero', 'six'], ['f']),
  node('Sub', ['f', 'six'], ['g']),
  node('Exp', ['g'], ['h']),
  node('Mish', ['h'], ['i']),
  node('QuickGelu', ['i'], ['j'], {}, { domain: MICROSOFT }),
  node('Relu', ['j'], ['k']),
  node('Log', ['k'], ['y']),
];
const parts = {
  nodes,
  domains: { [MICROSOFT]: 1 },
  inputs: [value('x', 1, ['N'])],
  outputs: [value('y', 1, ['N'])],
  initializers: [floats('zero', [], [0]), floats('six', [], [6])],
};
const plain = model(parts);
const x = f32(POINTS);

/** The model with a function in the place of an operator, which negates its first input. */
function overridden(name: string, domain: string): Uint8Array {
  const opsetImport = [{ domain: '', version: 18 }];
  const body = [node('Neg', ['p'], ['q'])];
  return model({
    ...parts,
    functions: [{ name, domain, input: ['p'], output: ['q'], node: body, opsetImport }],
  });
}

async function sitesOf(bytes: Uint8Array) {
  const { sites, skipped } = await findSites(await scan(bytes), {
    only: ['relu', 'leakyrelu', 'prelu', 'relu6', 'swish', 'mish'],
    to: 'gelu',
  });
  const plainly = ({ node, kind }: { node: { outputs: readonly string[] }; kind: string }) =>
    `${kind} ${node.outputs[0]}`;
  return [sites.map(plainly), skipped.map((one) => `${plainly(one)} ${one.why}`)];
}

const names = [...new Set(nodes.map(({ opType = '', domain = '' }) => `${domain}:${opType}`))];

// The domain of ONNX has two names.
const overriding = names.flatMap((name) => (name.startsWith(':') ? [name, `ai.onnx${name}`] : name));

test.each(overriding.map((name) => name.split(':')))(
  'a function does not override the operator %s:%s, as in ONNX Runtime',
  async (domain, name) => {
    const bytes = overridden(name ?? '', domain ?? '');
    expect(await run(bytes, { x })).toEqual(await run(plain, { x }));
    expect(await sitesOf(bytes)).toEqual(await sitesOf(plain));
    const [swapped, expected] = await Promise.all(
      [bytes, plain].map(async (one) => (await swap(one, { form: 'exp' })).output.bytes()),
    );
    expect(await run(swapped as Uint8Array, { x })).toEqual(await run(expected as Uint8Array, { x }));
    const inlined = await decodeModel(await scan(bytes));
    inlineFunctions(inlined);
    expect(await run(encodeModel(inlined), { x })).toEqual(await run(plain, { x }));
  },
);

test('a function in the domain of operators, with a name that no operator has, is called', async () => {
  const body = [node('Relu', ['p'], ['q'])];
  const opsetImport = [{ domain: '', version: 18 }];
  const bytes = model({
    ...parts,
    nodes: [node('Mish', ['x'], ['y'], {}, { domain: MICROSOFT })],
    functions: [{ name: 'Mish', domain: MICROSOFT, input: ['p'], output: ['q'], node: body, opsetImport }],
  });
  expect((await run(bytes, { x })).y).toEqual(POINTS.map((at) => Math.max(Math.fround(at), 0)));
  const { output, report } = await swap(bytes);
  expect(report.sites).toHaveLength(1);
  expect(allNodes(decode(await output.bytes())).length).toBeGreaterThan(2);
});
