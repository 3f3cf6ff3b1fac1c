import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { inspectDocument } from '../../src/mish/inspect-document.js';
import { siteKey } from '../../src/mish/results.js';
import { swapDocument } from '../../src/mish/swap.js';
import { scan } from '../../src/onnx/scan.js';
import { includedNames } from '../../src/web/workbench/engine/model.js';
import { failure } from '../support/graph.js';
import { model, node, value } from '../support/model.js';

/** Names that functions of a model may have in common, some of them with signs of a pattern. */
const NAMES = ['act', 'act_1', 'act*', 'act?1', 'relu', 'y'];
const DOMAIN = 'local';

interface Named {
  readonly output: string;
  readonly node: string;
}

/** Nodes from `input` to `output` with an activation for each name. */
function body(names: readonly Named[], input: string, output: string): onnx.INodeProto[] {
  let last = input;
  const nodes = names.flatMap((one, at) => {
    const site = node('Relu', [last], [one.output], {}, { name: one.node });
    last = `${at} wave`;
    return [site, node('Sin', [one.output], [last])];
  });
  return [...nodes, node('Identity', [last], [output])];
}

/** A model with a graph and two functions, each with activations of these names. */
function modelOf(graph: readonly Named[], functions: readonly (readonly Named[])[]): Uint8Array {
  const calls = functions.map((_, at) => {
    return node(`F${at}`, [at === 0 ? 'end' : `end ${at - 1}`], [`end ${at}`], {}, { domain: DOMAIN });
  });
  return model({
    domains: { [DOMAIN]: 1 },
    nodes: [...body(graph, 'x', 'end'), ...calls],
    inputs: [value('x', 1, [2, 3])],
    outputs: [value(`end ${functions.length - 1}`, 1)],
    functions: functions.map((names, at) => ({
      ...{ name: `F${at}`, domain: DOMAIN, input: ['in'], output: ['out'] },
      ...{ opsetImport: [{ domain: '', version: 18 }], node: body(names, 'in', 'out') },
    })),
  });
}

const named = fc.record({
  output: fc.constantFrom(...NAMES),
  node: fc.constantFrom('', ...NAMES),
});
const scope = fc.uniqueArray(named, { minLength: 1, maxLength: 3, selector: ({ output }) => output });

test('a repair or a training swaps the sites that were chosen and no others, or says that it cannot', async () => {
  await fc.assert(
    fc.asyncProperty(scope, scope, scope, fc.integer({ min: 1, max: 2 ** 9 }), async (a, b, c, bits) => {
      const document = await scan(modelOf(a, [b, c]));
      const { sites } = await inspectDocument(document);
      expect(sites).toHaveLength(a.length + b.length + c.length);
      const chosen = [...sites.keys()].filter((at) => (bits >> at) % 2 === 1);
      fc.pre(chosen.length > 0);
      const names = await includedNames(document, sites, { sites: chosen }).catch((error: unknown) => error);
      const outputs = sites.map(({ output }) => output);
      const isEasy = new Set(outputs).size === sites.length && outputs.every((name) => !/[*?]/.test(name));
      if (names instanceof Error) {
        expect(names).toMatchObject({ code: 'bad-usage' });
        expect(isEasy && sites.every((site) => site.node === '')).toBe(false);
        return;
      }
      const include = names as string[] | undefined;
      const { report } = await swapDocument(document, { form: 'exp', include, undo: false });
      const wanted = sites.filter((_, at) => chosen.includes(at)).map(siteKey);
      expect(report.sites.map(siteKey)).toEqual(wanted);
    }),
    { numRuns: 60 },
  );
});

test('without a chosen site nothing is swapped', async () => {
  const document = await scan(modelOf([{ output: 'act', node: '' }], [[{ output: 'act', node: '' }]]));
  const { sites } = await inspectDocument(document);
  expect(await failure(includedNames(document, sites, { sites: [] }))).toMatchObject({ code: 'bad-usage' });
});
