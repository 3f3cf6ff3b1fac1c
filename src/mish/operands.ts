import { attribute, type Node, type Scope, type StoredTensor } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { wordSet } from './use-moves.js';

/** A constant operand. */
interface Constant {
  /** The number of a single-element constant, if the file holds it. */
  readonly value: number | undefined;
  /** Whether it has a single element; otherwise it holds weights. */
  readonly single: boolean;
  /** Element type; undefined for a derived constant. */
  readonly elemType?: number | undefined;
}

/** Facts about operands that hold without running the model. */
export interface Operands {
  /** Returns the constant with this name; undefined for a value that depends on the model's inputs. */
  constant(scope: Scope, name: string | undefined): Constant | undefined;
  /** Returns whether it is certain that no element is below zero. */
  isNonNegative(scope: Scope, name: string): boolean;
}

/** Operators that keep the number of a constant input. */
export const RELABELS = wordSet(
  'Identity Cast CastLike Reshape Flatten Squeeze Unsqueeze Expand Transpose Tile',
);
/** Operators that compute a constant of constants. */
export const ARITHMETIC: Readonly<Record<string, (a: number, b: number) => number>> = {
  Add: (a, b) => a + b,
  Div: (a, b) => a / b,
  Mul: (a, b) => a * b,
  Neg: (a) => -a,
  Reciprocal: (a) => 1 / a,
  Sqrt: Math.sqrt,
  Sub: (a, b) => a - b,
};

/** Operators whose output is never below zero. */
const NON_NEGATIVE =
  wordSet(`Abs Acosh Exp HardSigmoid LpPool GlobalLpPool ReduceL1 ReduceL2 ReduceSumSquare Relu Sigmoid
  Softmax Softplus Sqrt`);
/** Operators whose output is not below zero if their first operand is not. */
const KEEPS_SIGN =
  wordSet(`AveragePool Cast Ceil Dropout Expand Flatten Floor GlobalAveragePool GlobalMaxPool Identity MaxPool
  ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum Reshape Round Slice Split Squeeze Tile Transpose Unsqueeze
  CastLike CumSum DepthToSpace Gather SpaceToDepth`);
/** Returns whether a node's first output is not below zero if its first input is not. */
export const keepsSign = ({ opType, domain }: Node): boolean => domain === '' && KEEPS_SIGN.has(opType);
const JOINT = wordSet('Add Concat Div Max Mean Min Mul Sum');

/** Maximum number of nodes examined before an operand. */
const MAX_DEPTH = 6;
const MAX_SIGN_DEPTH = 4;
const MAX_OPERANDS = 4;

/** Creates the queries about the operands of a document's nodes. */
export function createOperands(index: GraphIndex): Operands {
  function constant(scope: Scope, name: string | undefined, depth = 0): Constant | undefined {
    const home = name === undefined || name === '' ? undefined : index.home(scope, name);
    if (home === undefined || name === undefined || depth > MAX_DEPTH) return undefined;
    // In IR 3 every initializer is also an input.
    const tensor = home.initializers.get(name);
    if (tensor !== undefined) return ofTensor(tensor);
    const node = index.producer(home, name);
    if (node?.domain !== '') return undefined;
    const { opType } = node;
    if (opType === 'Constant') return ofConstant(node);
    if (opType === 'ConstantOfShape') return ofTensor(attribute(node, 'value')?.tensor, 0);
    if (RELABELS.has(opType)) return constant(home, node.inputs[0], depth + 1);
    const compute = Object.hasOwn(ARITHMETIC, opType) ? ARITHMETIC[opType] : undefined;
    if (compute === undefined) return undefined;
    const { inputs } = node;
    // The second operand is examined only if the first is constant: otherwise chains of sums would be walked repeatedly.
    const a = constant(home, inputs[0], depth + 1);
    const b = a && inputs.length > 1 ? constant(home, inputs[1], depth + 1) : undefined;
    if (a === undefined || (inputs.length > 1 && b === undefined)) return undefined;
    const value = compute(a.value ?? Number.NaN, inputs.length > 1 ? (b?.value ?? Number.NaN) : 0);
    return { value: Number.isNaN(value) ? undefined : value, single: a.single && b?.single !== false };
  }

  function isNonNegative(scope: Scope, name: string, depth = 0): boolean {
    if (name === '' || depth > MAX_SIGN_DEPTH) return false;
    const value = constant(scope, name, depth)?.value;
    if (value !== undefined) return value >= 0;
    const home = index.home(scope, name);
    const node = home && index.producer(home, name);
    if (home === undefined || node?.domain !== '') return false;
    const { opType, inputs } = node;
    if (node.outputs[0] !== name && opType !== 'Split') return false;
    const isOne = (input: string) => isNonNegative(home, input, depth + 1);
    if (NON_NEGATIVE.has(opType)) return true;
    if (KEEPS_SIGN.has(opType)) return isOne(inputs[0] ?? '');
    if (opType === 'Clip')
      return (boundsOfClip(node, home, operands).least ?? -1) >= 0 || isOne(inputs[0] ?? '');
    if (opType === 'Pow') return isEven(constant(home, inputs[1])?.value) || isOne(inputs[0] ?? '');
    if (opType === 'Mul' && inputs[0] === inputs[1]) return true;
    if (!JOINT.has(opType) || inputs.length > MAX_OPERANDS) return false;
    return opType === 'Max' ? inputs.some(isOne) : inputs.every(isOne);
  }

  const operands: Operands = { constant, isNonNegative };
  return operands;
}

function ofTensor(tensor: StoredTensor | undefined, otherwise?: number): Constant {
  const single = tensor === undefined || tensor.dims.every((dim) => dim === 1);
  return { value: tensor === undefined ? otherwise : tensor.scalar, single, elemType: tensor?.elemType };
}

function ofConstant(node: Node): Constant {
  const [given] = node.attributes;
  if (given === undefined || given.ref !== undefined) return { value: undefined, single: false };
  if (given.tensor !== undefined) return ofTensor(given.tensor);
  const value = given.name === 'value_float' ? given.f : given.name === 'value_int' ? given.i : undefined;
  return { value, single: value !== undefined };
}

export const isEven = (power: number | undefined): boolean => power !== undefined && power % 2 === 0;

/** Largest upper bound of a clamp. From this number on, a bound only keeps float16 from overflowing. */
export const MAX_CLAMP_BOUND = 6e4;

/** The bounds of a Clip: undefined for an absent bound, NaN for an unknown number. */
export interface Bounds {
  readonly least: number | undefined;
  readonly most: number | undefined;
}

/** Returns the bounds of a Clip: attributes up to opset 10, then inputs. */
export function boundsOfClip(node: Node, scope: Scope, operands: Operands): Bounds {
  const bound = (slot: number, name: string) => {
    const input = node.inputs[slot] ?? '';
    const given = attribute(node, name);
    if (input === '') return given?.ref ? Number.NaN : given?.f;
    return operands.constant(scope, input)?.value ?? Number.NaN;
  };
  return { least: bound(1, 'min'), most: bound(2, 'max') };
}
