import fc from 'fast-check';
import { expect, test } from 'vitest';
import { indexGraphs } from '../../src/onnx/graph-index.js';
import { behindIdentity, numberUses } from '../../src/onnx/number-uses.js';
import { scan } from '../../src/onnx/scan.js';
import { floats, model, node, value } from '../support/model.js';

test('the uses of a constant are those behind Identity nodes, without readers of its shape', async () => {
  const readers = fc.array(
    fc.record({
      identities: fc.integer({ min: 0, max: 12 }),
      op: fc.constantFrom('Neg', 'Shape', 'Size', 'Conv'),
    }),
    { maxLength: 5 },
  );
  await fc.assert(
    fc.asyncProperty(readers, async (all) => {
      const nodes = all.flatMap(({ identities, op }, at) => {
        const names = ['w', ...Array.from({ length: identities }, (_, step) => `w${at}_${step}`)];
        const chain = names.slice(1).map((name, step) => node('Identity', [names[step] ?? ''], [name]));
        return [...chain, node(op, [names.at(-1) ?? ''], [`y${at}`])];
      });
      const bytes = model({
        nodes,
        initializers: [floats('w', [1], [1])],
        inputs: [value('x', 1, ['N'])],
        outputs: all.map((_, at) => value(`y${at}`, 1)),
      });
      const document = await scan(bytes);
      const { graph } = document;
      const index = indexGraphs(document);
      const uses = numberUses(index, graph, 'w');
      const found = uses.flatMap((use) => (use.kind === 'input' ? use.node.outputs : 'output'));
      const expected = all.flatMap(({ op }, at) => (op === 'Shape' || op === 'Size' ? [] : `y${at}`));
      expect(found.toSorted()).toEqual(expected.toSorted());
      for (const use of uses)
        if (use.kind === 'input') expect(behindIdentity(index, graph, use.node.inputs[0] ?? '')).toBe('w');
    }),
    { numRuns: 60, seed: 3 },
  );
});
