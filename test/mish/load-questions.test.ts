import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findDomainGuards } from '../../src/mish/domain-guard.js';
import { loadQuestions, type Questions } from '../../src/mish/load-questions.js';
import { clampQuestion, createClampBefore } from '../../src/mish/use-clamp.js';
import { guardQuestion } from '../../src/mish/use-guard.js';
import { maskQuestion } from '../../src/mish/use-mask.js';
import { negativeQuestion } from '../../src/mish/use-negative.js';
import { createInt8Option, quantizedQuestion } from '../../src/mish/use-quantized.js';
import { createUses } from '../../src/mish/uses.js';
import { analyse } from '../../src/onnx/analysis.js';
import { scan } from '../../src/onnx/scan.js';
import { floats, model, node, value } from '../support/model.js';

const ALL: Required<Questions> = {
  guard: guardQuestion,
  domain: findDomainGuards,
  negative: negativeQuestion,
  quantized: { quantizedQuestion, createInt8Option },
  clamp: { createClampBefore, clampQuestion },
  mask: maskQuestion,
};

/** Operators with one operand, and with a second one that is a constant or an earlier value. */
const UNARY =
  'Relu Sqrt Log ReduceLogSum Reciprocal Abs Neg Floor Round Sign ReduceMean Identity Sigmoid'.split(' ');
const BINARY = 'Add Sub Mul Div Pow Min Max Greater QuantizeLinear MatMul Concat'.split(' ');
const CONSTANTS = [-1, 0, 0.5, 1, 2, 6];

const step = fc.record({
  op: fc.constantFrom(...UNARY, ...BINARY, 'Acosh', 'Cast'),
  from: fc.nat(20),
  other: fc.nat(20),
  isConstant: fc.boolean(),
  isSwitched: fc.boolean(),
});

/** Returns a graph with a node for each step. */
function graphOf(steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[]) {
  const names = ['x'];
  const nodes = steps.map(({ op, from, other, isConstant, isSwitched }, at) => {
    const first = names[from % names.length] ?? '';
    const second = isConstant ? `c${other % CONSTANTS.length}` : (names[other % names.length] ?? '');
    const operands = isSwitched ? [second, first] : [first, second];
    names.push(`v${at}`);
    return node(op, BINARY.includes(op) ? operands : [first], [`v${at}`], op === 'Cast' ? { to: 9 } : {});
  });
  return model({
    nodes,
    inputs: [value('x', 1, [2, 2])],
    outputs: [value(names.at(-1) ?? '', 1)],
    initializers: CONSTANTS.map((one, at) => floats(`c${at}`, [], [one])),
  });
}

/** Expects that the loaded questions decide about each value as all questions do. Returns the number of decisions. */
async function compare(bytes: Uint8Array): Promise<number> {
  const document = await scan(bytes);
  const analysis = analyse(document);
  const loaded = createUses(analysis, await loadQuestions(document));
  const all = createUses(analysis, ALL);
  const scope = document.graph;
  let found = 0;
  for (const { inputs, outputs } of scope.nodes) {
    const candidate = { scope, x: inputs[0] ?? '', y: outputs[0] ?? '', kind: 'relu' };
    const [purpose, doubt] = [all.purpose(candidate), all.doubt(candidate)];
    if (purpose ?? doubt) found++;
    expect(loaded.purpose(candidate)).toEqual(purpose);
    expect(loaded.doubt(candidate)).toEqual(doubt);
  }
  return found;
}

test('a question that is not loaded would have found nothing in a random graph', async () => {
  let found = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 9 }), async (steps) => {
      found += await compare(graphOf(steps));
    }),
    { seed: 11, numRuns: 100 },
  );
  expect(found).toBeGreaterThan(100);
});

test('a question that is not loaded would have found nothing after any operator', async () => {
  const start = { op: 'Relu', from: 0, other: 0, isConstant: true, isSwitched: false };
  const operators = [...UNARY, ...BINARY, 'Cast', 'Acosh'];
  for (const op of operators)
    for (const other of BINARY.includes(op) ? CONSTANTS.keys() : [0])
      for (const isSwitched of BINARY.includes(op) ? [false, true] : [false]) {
        const steps = [start, { ...start, op, from: 1, other, isSwitched }];
        await compare(graphOf(op === 'Add' ? [...steps, { ...start, op: 'Acosh', from: 2 }] : steps));
      }
});

test('a plain network loads no question', async () => {
  const nodes = [
    node('Conv', ['x', 'c1'], ['a']),
    node('Relu', ['a'], ['b']),
    node('Add', ['a', 'b'], ['y']),
  ];
  const bytes = model({ nodes, inputs: [value('x', 1)], outputs: [value('y', 1)] });
  const questions = await loadQuestions(await scan(bytes));
  expect(Object.values(questions).filter((one) => one !== undefined)).toEqual([]);
});
