import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { swap } from '../../src/mish/swap.js';
import { casesOf } from '../support/heavy.js';
import { ints, model, node, value } from '../support/model.js';
import { type Feed, run } from '../support/run.js';
import { type Element, tensorOf } from '../support/typed-tensor.js';

// Random chains between a Relu and a root, logarithm, power or divisor, with constants of all shapes, element types and spellings.
// ONNX Runtime says whether the swapped chain is finite wherever the original is.

/** Spellings of a constant in a model. */
const SPELLINGS = [
  'initializer',
  'Constant',
  'value_floats',
  'Reshape',
  'Unsqueeze',
  'Concat',
  'Mul',
  'Cast',
] as const;
type Spelling = (typeof SPELLINGS)[number];

interface Step {
  readonly op: string;
  /** The elements of the constant, which repeat; none for an operator of one operand. */
  readonly elements: readonly number[];
  readonly isFirst: boolean;
  readonly isVector: boolean;
  readonly spelling: Spelling;
}

const NUMBERS = [0.125, 0.25, 0.375, 0.5, 0.75, 1, 1.5, 2, 3, 8];
const SIGNED = [...NUMBERS, ...NUMBERS, ...NUMBERS, 0, -0.125, -0.5, -1, -2];
const numbers = (from: readonly number[]) =>
  fc.oneof(
    fc.array(fc.constantFrom(...from), { minLength: 1, maxLength: 1 }),
    fc.array(fc.constantFrom(...from), { minLength: 4, maxLength: 4 }),
  );
const stepOf = (ops: string, elements: fc.Arbitrary<readonly number[]>): fc.Arbitrary<Step> =>
  fc.record({
    op: fc.constantFrom(...ops.split(' ')),
    elements,
    isFirst: fc.boolean(),
    isVector: fc.boolean(),
    spelling: fc.constantFrom(...SPELLINGS),
  });
const none = fc.constant([]);
const BETWEEN = [
  stepOf('Add Sub Mul Div Max Min', numbers(SIGNED)),
  stepOf('Add Mul Max', numbers(NUMBERS)),
  stepOf('Clip', fc.constantFrom([0.25], [0, 6], [-1], [0.5, 2], [-0.25, 4])),
  stepOf('Concat', fc.constantFrom([0.5], [1], [0.25, 2], [0, 0], [-1, 3])),
  stepOf('Neg Abs Sqrt Reshape Unsqueeze', none),
];
const GUARDS = [
  stepOf('Sqrt Log Reciprocal', none),
  stepOf('Quotient', numbers(NUMBERS)),
  stepOf('Pow', fc.constantFrom([0.5], [0.5, 0.5, 0.5, 0.5], [2, 2, 2, 2], [-1], [3], [1.5])),
];
const chain = fc.record({
  between: fc.array(fc.oneof(...BETWEEN), { minLength: 1, maxLength: 4 }),
  guard: fc.oneof(...GUARDS),
  type: fc.constantFrom<Element>('f32', 'f32', 'f16', 'f64'),
});
type Chain = typeof chain extends fc.Arbitrary<infer T> ? T : never;

const ELEMENTS: Readonly<Record<Element, number>> = { f32: 1, f16: 10, f64: 11 };

/** Builds the model of a chain. Every value between is an output as well. */
function modelOf({ between, guard, type }: Chain) {
  const nodes: onnx.INodeProto[] = [node('Relu', ['x'], ['v0'], {}, { name: 'act' })];
  const initializers: onnx.ITensorProto[] = [];
  let width = 4;
  let count = 0;
  const add = (tensor: onnx.ITensorProto) => {
    initializers.push(tensor);
    return tensor.name ?? '';
  };
  const emit = (op: string, inputs: string[], attributes: Parameters<typeof node>[3] = {}) => {
    const name = `c${count++}`;
    nodes.push(node(op, inputs, [name], attributes));
    return name;
  };
  const stored = (data: readonly number[], dims: readonly number[], as = type) =>
    add(tensorOf(`c${count++}`, as, dims, data));

  /** Writes a constant in one of its spellings, and returns its name. */
  function constant(data: readonly number[], dims: readonly number[], spelling: Spelling): string {
    switch (spelling) {
      case 'Constant':
        return emit('Constant', [], { value: { tensor: tensorOf('', type, dims, data) } });
      case 'value_floats':
        if (type !== 'f32' || dims.length !== 1) break;
        return emit('Constant', [], { value_floats: { floats: data } });
      case 'Reshape':
        return emit('Reshape', [stored(data, [data.length]), add(ints(`c${count++}`, [dims.length], dims))]);
      case 'Unsqueeze':
        if (dims.length !== 2) break;
        return emit('Unsqueeze', [stored(data, [data.length]), add(ints(`c${count++}`, [1], [0]))]);
      case 'Concat': {
        if (dims.length !== 1 || data.length < 2) break;
        const parts = [stored(data.slice(0, 1), [1]), stored(data.slice(1), [data.length - 1])];
        return emit('Concat', parts, { axis: 0 });
      }
      case 'Mul':
        return emit('Mul', [
          stored(
            data.map((one) => one / 2),
            dims,
          ),
          stored([2], []),
        ]);
      case 'Cast': {
        const other = type === 'f32' ? 'f64' : 'f32';
        return emit('Cast', [stored(data, dims, other)], { to: ELEMENTS[type] });
      }
      default:
    }
    return stored(data, dims);
  }

  const steps = [...between, guard];
  for (const [at, { op, elements, isFirst, isVector, spelling }] of steps.entries()) {
    const [from, to] = [`v${at}`, `v${at + 1}`];
    const wide = (length: number) => Array.from({ length }, (_, at) => elements[at % elements.length] ?? 0);
    const operand = () => {
      if (elements.length > 1) return constant(wide(width), isVector ? [width] : [1, width], spelling);
      return constant(elements, isVector ? [1] : [], spelling);
    };
    const push = (type: string, inputs: string[], attributes = {}) =>
      nodes.push(node(type, inputs, [to], attributes));
    if (op === 'Clip') push(op, [from, ...elements.map((one) => constant([one], [], spelling))]);
    else if (op === 'Concat') {
      push(
        op,
        [
          from,
          emit('Expand', [
            constant(elements, [1, elements.length], spelling),
            add(ints(`c${count++}`, [2], [POINTS.length, 1])),
          ]),
        ],
        { axis: 1 },
      );
      width += elements.length;
    } else if (op === 'Reshape') push(op, [from, add(ints(`c${count++}`, [2], [-1, width]))]);
    else if (op === 'Unsqueeze') push('Identity', [from]);
    else if (op === 'Quotient') push('Div', [operand(), from]);
    else if (op === 'Pow') push(op, [from, operand()]);
    else if (elements.length === 0) push(op, [from]);
    else push(op, isFirst ? [operand(), from] : [from, operand()]);
  }
  const names = nodes.flatMap(({ output }) => output ?? []).filter((name) => name.startsWith('v'));
  const elemType = ELEMENTS[type];
  return model({
    opset: 18,
    nodes,
    inputs: [value('x', elemType, ['N', 4])],
    outputs: names.map((name) => value(name, elemType)),
    initializers,
  });
}

/** Inputs around Mish's minimum, far below zero and far above. */
const POINTS = [
  ...Array.from({ length: 60 }, (_, at) => -at / 8),
  ...Array.from({ length: 60 }, (_, at) => at / 8 + 0.01),
  ...[-1.19, -20, 30],
];

const areFinite = (values: readonly number[] | undefined) => values?.every(Number.isFinite) ?? false;

/** Runs a chain with ReLU, and with Mish although it may be a guard; says what a plain swap said. */
async function examine(one: Chain) {
  const bytes = modelOf(one);
  const x: Feed = {
    type: one.type,
    dims: [POINTS.length, 4],
    data: POINTS.flatMap((point) => [point, point, point, point]),
  };
  const { report } = await swap(bytes);
  const forced = await swap(bytes, { include: ['act'] });
  const [before, after] = [await run(bytes, { x }), await run(await forced.output.bytes(), { x })];
  return { report, before, after };
}

test('where Mish makes a chain infinite or not a number, the swap is skipped or has a doubt', async () => {
  let count = 0;
  await fc.assert(
    fc.asyncProperty(chain, async (one) => {
      const { report, before, after } = await examine(one);
      if (!Object.values(before).every(areFinite) || Object.values(after).every(areFinite)) return;
      count++;
      expect(report.sites.filter(({ doubt }) => doubt === undefined)).toEqual([]);
    }),
    { seed: 31, numRuns: casesOf(600) },
  );
  expect(count).toBeGreaterThan(2);
});

const isAbove = (least: number) => (values: readonly number[]) => values.every((one) => one >= least);
/** A divisor has one sign. */
const isSigned = (values: readonly number[]) =>
  values.every((one) => one > 0) || values.every((one) => one < 0);

/** Returns whether an operator takes these operands; true for those that take all. */
function takes({ op, elements, isFirst }: Step, values: readonly number[]): boolean {
  const [exponent = 0] = elements;
  if (op === 'Sqrt') return isAbove(0)(values);
  if (op === 'Log') return isAbove(Number.MIN_VALUE)(values);
  if (op === 'Pow' && exponent > 0) return Number.isInteger(exponent) || isAbove(0)(values);
  if (op === 'Pow' && !Number.isInteger(exponent)) return isAbove(Number.MIN_VALUE)(values);
  return !(op === 'Div' && isFirst) && !'Reciprocal Quotient Pow'.includes(op) ? true : isSigned(values);
}

test('a chain that stays in the domain of every operator after Mish is not skipped as a guard', async () => {
  let count = 0;
  await fc.assert(
    fc.asyncProperty(chain, async (one) => {
      const steps = [...one.between, one.guard];
      // The range of several constants holds sums that no element has.
      if (one.between.filter(({ elements }) => new Set(elements).size > 1).length > 1) return;
      // Between two points an absolute value may be zero.
      if (one.between.some(({ op }) => op === 'Abs')) return;
      const { report, after } = await examine(one);
      if (!steps.every((step, at) => takes(step, after[`v${at}`] ?? []))) return;
      count++;
      expect(report.skipped.filter(({ reason }) => reason === 'guard')).toEqual([]);
    }),
    { seed: 32, numRuns: casesOf(600) },
  );
  expect(count).toBeGreaterThan(8);
});

test.each(SPELLINGS)('a constant of several elements is read as %s', async (spelling) => {
  const plus = (elements: readonly number[], type: Element): Chain => ({
    between: [{ op: 'Add', elements, isFirst: false, isVector: true, spelling }],
    guard: { op: 'Sqrt', elements: [], isFirst: false, isVector: false, spelling },
    type,
  });
  for (const type of ['f32', 'f16', 'f64'] as const) {
    const reasons = async (elements: readonly number[]) =>
      (await swap(modelOf(plus(elements, type)))).report.skipped.map(({ reason }) => reason);
    expect(await reasons([0.125, 0.5, 0.5, 1])).toEqual(['guard']);
    expect(await reasons([0.375, 0.5, 0.5, 1])).toEqual([]);
  }
});
