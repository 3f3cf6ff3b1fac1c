import { expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { findWritten } from '../../src/mish/written.js';
import { analyse } from '../../src/onnx/analysis.js';
import { scan } from '../../src/onnx/scan.js';
import { decode, swapped } from '../support/graph.js';
import { isHeavy } from '../support/heavy.js';
import { type ModelParts, model, node } from '../support/model.js';

/** Where each were gone through for each other, the whole size would take minutes. */
const MANY = isHeavy ? 20_000 : 5000;
const TIMEOUT_MS = isHeavy ? 120_000 : 20_000;

test(`${MANY} nodes of one name take no longer than others`, { timeout: TIMEOUT_MS }, async () => {
  const nodes = Array.from({ length: MANY }, (_, at) => node('Relu', ['x'], [`y${at}`], {}, { name: 'act' }));
  const { bytes } = await swapped(model({ nodes }), { form: 'softplus' });
  const names = decode(bytes).graph?.node?.map(({ name }) => name);
  expect(new Set(names).size).toBe(3 * MANY);
});

/** Reasons of what a swap skips, by the output of the node. */
async function skips(parts: ModelParts): Promise<Record<string, string>> {
  const { report } = await swapped(model(parts));
  return Object.fromEntries(report.skipped.map(({ output, reason }) => [output, reason]));
}

const relu = node('Relu', ['x'], ['r']);
const toInt = (from: string, to: string) => node('Cast', [from], [to], { to: 7 });

test('functions that call functions, absurdly deep, do not break it', async () => {
  const opsetImport = [
    { domain: '', version: 18 },
    { domain: 'local', version: 1 },
  ];
  const functions = Array.from({ length: 800 }, (_, at) => ({
    name: `F${at}`,
    domain: 'local',
    input: ['a'],
    output: ['b'],
    node: [node(`F${at + 1}`, ['a'], ['b'], {}, { domain: 'local' })],
    opsetImport,
  }));
  const nodes = [relu, node('F0', ['r'], ['y'], {}, { domain: 'local' })];
  expect(await skips({ nodes, functions, domains: { local: 1 } })).toEqual({});
});

test('a long chain of sites is followed once, not once for each', { timeout: TIMEOUT_MS }, async () => {
  const length = MANY;
  const chain = (last: onnx.INodeProto) => [
    node('Relu', ['x'], ['v0']),
    ...Array.from({ length }, (_, at) => node('Relu', [`v${at}`], [`v${at + 1}`])),
    last,
  ];
  expect(await skips({ nodes: chain(node('Neg', [`v${length}`], ['y'])) })).toEqual({});
  expect(Object.keys(await skips({ nodes: chain(toInt(`v${length}`, 'y')) }))).toHaveLength(length + 1);
});

test('nor is it in a function, whose results are followed at its calls', {
  timeout: TIMEOUT_MS,
}, async () => {
  const length = MANY;
  const chain = {
    ...{ domain: 'local', name: 'Chain', input: ['a'], output: [`v${length}`] },
    opsetImport: [{ domain: '', version: 18 }],
    node: [
      node('Relu', ['a'], ['v0']),
      ...Array.from({ length }, (_, at) => node('Relu', [`v${at}`], [`v${at + 1}`])),
    ],
  };
  const call = node('Chain', ['x'], ['c'], {}, { domain: 'local' });
  const parts = (last: onnx.INodeProto) => ({
    nodes: [call, last],
    functions: [chain],
    domains: { local: 1 },
  });
  expect(await skips(parts(node('Neg', ['c'], ['y'])))).toEqual({});
  expect(Object.keys(await skips(parts(toInt('c', 'y'))))).toHaveLength(length + 1);
  // What becomes of the result at one call is nothing to another call's argument.
  const other = node('Chain', ['r'], ['d'], {}, { domain: 'local' });
  const both = parts(toInt('c', 'y'));
  const skipped = await skips({ ...both, nodes: [...both.nodes, node('Relu', ['x'], ['r']), other] });
  expect(Object.keys(skipped)).toHaveLength(length + 1);
  expect(skipped).not.toHaveProperty('r');
});

test('the readers of a value inside many activations are listed once, not once for each', async () => {
  const count = 1000;
  const gated = Array.from({ length: count }, (_, at) => node('Mul', ['x', 'gate'], [`y${at}`]));
  const nodes = [node('Softplus', ['x'], ['s']), node('Tanh', ['s'], ['gate']), ...gated];
  const document = await scan(model({ nodes }));
  const analysis = analyse(document);
  let listed = 0;
  const uses: typeof analysis.index.uses = (scope, name) => {
    const found = analysis.index.uses(scope, name);
    listed += found.length;
    return found;
  };
  expect(findWritten(document, { ...analysis, index: { ...analysis.index, uses } })).toHaveLength(count);
  expect(listed).toBeLessThan(10 * count);
});
