import fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadActivation } from '../../src/mish/load-activation.js';
import { findSites } from '../../src/mish/sites.js';
import { noteOnPadding } from '../../src/mish/zero-padding.js';
import { analyse } from '../../src/onnx/analysis.js';
import { scan } from '../../src/onnx/scan.js';
import { swapped } from '../support/graph.js';
import { ints, model, node, value } from '../support/model.js';
import { generated, isOptimisedAway, modelOf, PADS, POOLS, plain, SIZE } from '../support/padded-models.js';

test('a note tells where ONNX Runtime leaves out zeros that Mish needs', async () => {
  let told = 0;
  await fc.assert(
    fc.asyncProperty(generated, async (parts) => {
      const original = modelOf(parts);
      const { bytes, report } = await swapped(original, { form: 'exp' });
      const isNew = (await isOptimisedAway(bytes)) && !(await isOptimisedAway(original));
      expect(report.notes.some((note) => note.includes('drops the zeros of the Pad'))).toBe(isNew);
      if (isNew) told++;
    }),
    { numRuns: 60, seed: 7 },
  );
  expect(told).toBeGreaterThan(5);
});

test('activations that are never below zero have no note', async () => {
  const { bytes } = await swapped(modelOf(plain), { form: 'exp' });
  const back = await swapped(bytes, { to: 'relu' });
  expect(back.report.notes.filter((note) => note.includes('Pad'))).toEqual([]);
});

test('a long chain in which each value is read twice takes no time, and no stack', async () => {
  const count = 4000;
  const chain = Array.from({ length: count }, (_, at) => [
    node('Add', [`a${at}`, `a${at}`], [`b${at}`]),
    node('Abs', [`b${at}`], [`a${at + 1}`]),
  ]).flat();
  const bytes = (first: string) =>
    model({
      opset: 13,
      inputs: [value('x', 1, [1, 2, SIZE, SIZE])],
      nodes: [
        ...[
          node('Relu', ['x'], ['r']),
          node('Abs', ['x'], ['s']),
          node('Add', [first, first], ['a0']),
          ...chain,
        ],
        ...[node('Pad', [`a${count}`, 'pads'], ['p']), node('MaxPool', ['p'], ['y'], POOLS.MaxPool)],
      ],
      outputs: ['y', 'r'].map((name) => value(name, 1)),
      initializers: [ints('pads', [8], PADS)],
    });
  for (const [first, isTold] of [
    ['s', false],
    ['r', true],
  ] as const) {
    const document = await scan(bytes(first));
    const analysis = analyse(document);
    const { sites } = await findSites(document, {}, analysis);
    const notes = noteOnPadding(document, analysis, sites, await loadActivation({ to: 'mish' }));
    expect(notes.some((note) => note.includes('drops the zeros'))).toBe(isTold);
  }
});
