// An empty name marks an absent input or output. It is the name of no value, so that nothing leads from one to another.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { extractEdits, neededNodes } from '../../src/onnx/extract.js';
import { indexGraphs } from '../../src/onnx/graph-index.js';
import { valuesOfInputs } from '../../src/onnx/inference-edits.js';
import { scan } from '../../src/onnx/scan.js';
import { model, node, value } from '../support/model.js';

/** The inputs of each node, as numbers of earlier values, and which of its outputs are there; -1 is an absent input. */
const graphs = fc.array(
  fc.record({
    inputs: fc.array(fc.integer({ min: -1, max: 20 }), { minLength: 1, maxLength: 3 }),
    outputs: fc.array(fc.boolean(), { minLength: 1, maxLength: 3 }),
  }),
  { minLength: 1, maxLength: 8 },
);

test('an absent input reads nothing, whatever outputs are absent', async () => {
  await fc.assert(
    fc.asyncProperty(graphs, async (shape) => {
      const values = ['x', 'w'];
      const needs = new Map<string, readonly string[]>();
      const nodes = shape.map(({ inputs, outputs }, at) => {
        const read = inputs.map((number) => (number < 0 ? '' : (values[number % values.length] ?? '')));
        const given = outputs.map((isThere, slot) => (isThere ? `v${at}_${slot}` : ''));
        const names = given.filter((name) => name !== '');
        for (const name of names) needs.set(name, [...read.filter((one) => one !== ''), ...names]);
        values.push(...names);
        return node('Split', read, given);
      });
      const document = await scan(model({ nodes, inputs: [value('x', 1)], initializers: [{ name: 'w' }] }));
      const { graph } = document;
      const index = indexGraphs(document);
      expect(index.home(graph, '')).toBeUndefined();
      expect(index.producer(graph, '')).toBeUndefined();
      expect(index.number(graph, '')).toBeUndefined();
      expect(() => extractEdits(document, [''])).toThrow("no node of the main graph outputs ''");
      for (const wanted of needs.keys()) {
        const reached = new Set([wanted]);
        for (const name of reached) for (const before of needs.get(name) ?? []) reached.add(before);
        const found = [...neededNodes(document, [wanted])].map(({ index: at }) => at).sort();
        const expected = graph.nodes.filter(({ outputs }) => outputs.some((name) => reached.has(name)));
        expect(found).toEqual(expected.map(({ index: at }) => at));
        expect(valuesOfInputs(graph).has(wanted)).toBe(reached.has('x'));
      }
    }),
  );
});
