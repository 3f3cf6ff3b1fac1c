import type { onnx } from '../../proto/onnx.js';
import { scalarTensor } from '../../src/onnx/scalar.js';
import { FLOAT_TYPES, type FloatType } from '../../src/onnx/types.js';
import { type AttributeValue, type ModelParts, node, value } from './model.js';

/** An expression in x: an operator with its operands, or a constant. */
export type Expression =
  | 'x'
  | number
  | {
      readonly op: string;
      readonly args: readonly Expression[];
      readonly attributes?: Record<string, AttributeValue>;
    };

const build =
  (op: string) =>
  (...args: Expression[]): Expression => ({ op, args });
export const [add, sub, mul, div] = [build('Add'), build('Sub'), build('Mul'), build('Div')];
export const [exp, log, tanh, neg, abs] = [
  build('Exp'),
  build('Log'),
  build('Tanh'),
  build('Neg'),
  build('Abs'),
];
export const [relu, softplus, where, greater, less] = [
  build('Relu'),
  build('Softplus'),
  build('Where'),
  build('Greater'),
  build('Less'),
];
export const [max, min, clip, sigmoid] = [build('Max'), build('Min'), build('Clip'), build('Sigmoid')];

/** A seeded source of numbers from 0 to 1. */
export type Random = () => number;

export interface Spelling {
  readonly type: FloatType;
  readonly opset: number;
  readonly random: Random;
  /** Whether to write it in another way that means the same. */
  readonly vary: boolean;
}

const COMMUTATIVE = ['Add', 'Mul', 'Max', 'Min'];

/** A model that computes an expression, written in one of many ways that mean the same: from `x` to `y`. */
export function spell(expression: Expression, { type, opset, random, vary }: Spelling): ModelParts {
  const nodes: onnx.INodeProto[] = [];
  const constants: onnx.INodeProto[] = [];
  const initializers: onnx.ITensorProto[] = [];
  const shared = new Map<Expression, string>();
  let count = 0;
  const name = (): string => `v${count++}`;
  const chance = (share: number): boolean => vary && random() < share;
  const emit = (op: string, inputs: string[], attributes = {}, output = name()): string => {
    nodes.push(node(op, inputs, [output], attributes));
    return output;
  };
  const constant = (number: number): string => {
    const tensor = scalarTensor(number, type);
    const own = name();
    if (chance(0.5)) constants.push(node('Constant', [], [own], { value: { tensor } }));
    else initializers.push({ ...tensor, name: own, dims: chance(0.3) ? [1] : [] });
    return chance(0.2) ? emit('Identity', [own]) : own;
  };
  const write = (part: Expression, output?: string): string => {
    if (part === 'x') return chance(0.15) ? emit('Identity', ['x']) : 'x';
    if (typeof part === 'number') return constant(part);
    const known = shared.get(part);
    if (known !== undefined) return known;
    let inputs = part.args.map((arg) => write(arg));
    if (COMMUTATIVE.includes(part.op) && chance(0.5)) inputs = inputs.toReversed();
    const isLast = output !== undefined;
    let result = emit(part.op, inputs, part.attributes, output);
    const isTruth = ['Greater', 'Less'].includes(part.op);
    if (!isLast && !isTruth && chance(0.15)) result = emit('Identity', [result]);
    if (!isLast && !isTruth && chance(0.1)) result = emit('Cast', [result], { to: FLOAT_TYPES[type] });
    if (!isLast && !isTruth && chance(0.1)) result = emit('Mul', [result, constant(1)]);
    if (!isLast && !isTruth && chance(0.1)) result = emit('Add', [constant(0), result]);
    shared.set(part, result);
    return result;
  };
  write(expression, 'y');
  const io = (name: string) => value(name, FLOAT_TYPES[type], ['N']);
  return { opset, nodes: [...constants, ...nodes], initializers, inputs: [io('x')], outputs: [io('y')] };
}

/** The same expression with one of its constants changed by a share. */
export function perturb(expression: Expression, which: number, share: number): Expression {
  let seen = 0;
  const visit = (part: Expression): Expression => {
    if (typeof part === 'number')
      return seen++ === which ? part * (1 + share) + (part === 0 ? share : 0) : part;
    return typeof part === 'string' ? part : { ...part, args: part.args.map(visit) };
  };
  return visit(expression);
}

/** How many constants an expression has. */
export function constantsIn(part: Expression): number {
  if (typeof part === 'number') return 1;
  return typeof part === 'string' ? 0 : part.args.reduce<number>((sum, arg) => sum + constantsIn(arg), 0);
}
