import { expect, test } from 'vitest';
import type { LinearLayer } from '../../../src/calibrate/repair/linear-layers.js';
import { symmetricModel } from '../../../src/calibrate/repair/symmetric-inputs.js';
import { planOf } from '../../../src/mish/plan.js';
import { swapDocument } from '../../../src/mish/swap.js';
import { modelFromBytes } from '../../../src/providers/loaded-model.js';
import { floats, ints, model, node, value } from '../../support/model.js';

/** Nodes behind the site `a`, of which some have an absent output. */
const BEHIND = {
  'a node with all its outputs': node('Dropout', ['a'], ['d', 'mask']),
  'a node with an absent output': node('Dropout', ['a'], ['d', '']),
  'a node whose first output is absent': node('LSTM', ['a', 'wl', 'rl'], ['', 'd'], { hidden_size: 4 }),
};
/** Nodes from `b` to the layer's input `c`, of which some have an absent input. */
const BETWEEN = {
  'no absent input': node('Pad', ['b', 'pads', 'zero', 'axes'], ['c']),
  'an absent input': node('Pad', ['b', 'pads', '', 'axes'], ['c']),
};

const cases = Object.entries(BEHIND).flatMap(([behind, one]) =>
  Object.entries(BETWEEN).map(([between, other]) => [behind, between, one, other] as const),
);

test.each(cases)(
  'only the site before a layer is swapped for its inputs, beside %s and %s',
  async (_, __, behind, between) => {
    const original = await modelFromBytes(
      model({
        nodes: [
          node('Relu', ['x'], ['a']),
          behind,
          node('MatMul', ['a', 'w'], ['h']),
          node('Relu', ['h'], ['b']),
          between,
          node('MatMul', ['c', 'w'], ['y']),
        ],
        initializers: [
          floats('w', [4, 4], new Array(16).fill(0.5)),
          floats('wl', [1, 16, 4], new Array(64).fill(0.5)),
          floats('rl', [1, 16, 4], new Array(64).fill(0.5)),
          ints('pads', [2], [0, 0]),
          floats('zero', [], [0]),
          ints('axes', [1], [1]),
        ],
      }),
    );
    const { report } = await swapDocument(original.document, { undo: false });
    expect(report.sites.map(({ output }) => output)).toEqual(['a', 'b']);
    const { document } = await symmetricModel(original, planOf(report), { x: 'c' } as LinearLayer);
    const left = document.graph.nodes.filter(({ opType }) => opType === 'Relu');
    expect(left.map(({ outputs }) => outputs)).toEqual([['a']]);
  },
);

test('a node of more inputs than a call takes arguments is passed', async () => {
  const original = await modelFromBytes(
    model({
      nodes: [
        node('Relu', ['x'], ['a']),
        node('Max', new Array(200_000).fill('a'), ['m']),
        node('MatMul', ['m', 'w'], ['y']),
      ],
      initializers: [floats('w', [4, 4], new Array(16).fill(0.5))],
    }),
  );
  const { report } = await swapDocument(original.document, { undo: false });
  const { document } = await symmetricModel(original, planOf(report), { x: 'm' } as LinearLayer);
  expect(document.graph.nodes.some(({ opType }) => opType === 'Relu')).toBe(false);
});

test('sites that meet before a layer are all swapped, and none before them', async () => {
  const original = await modelFromBytes(
    model({
      nodes: [
        node('Relu', ['x'], ['a']),
        node('MatMul', ['a', 'w'], ['h']),
        node('Relu', ['h'], ['b']),
        node('LeakyRelu', ['h'], ['c'], { alpha: { f: 0.1 } }),
        node('Add', ['b', 'c'], ['s']),
        node('MatMul', ['s', 'w'], ['y']),
      ],
      initializers: [floats('w', [4, 4], new Array(16).fill(0.5))],
      outputs: [value('y', 1, ['N', 4])],
    }),
  );
  const { report } = await swapDocument(original.document, { undo: false });
  const { document } = await symmetricModel(original, planOf(report), { x: 's' } as LinearLayer);
  const left = document.graph.nodes.filter(({ opType }) => /Relu/.test(opType));
  expect(left.map(({ outputs }) => outputs)).toEqual([['a']]);
});
