import { attribute, type Node, type OnnxDocument, type Scope, type Value } from './document.js';
import { type Calls, indexCalls } from './function-calls.js';
import { type GraphIndex, indexGraphs } from './graph-index.js';
import { DataType } from './types.js';

/** The element type of a value as seen from a scope; undefined where the model does not tell. */
export type ElementTypes = (scope: Scope, name: string) => number | undefined;

const words = (text: string) => new Set(text.trim().split(/\s+/));

/** Operators whose inputs and outputs all have one element type. */
const UNIFORM = words(`
  Abs Acos Acosh Add Asin Asinh Atan Atanh AveragePool Ceil Celu Clip Concat Conv ConvTranspose Cos Cosh
  Div Einsum Elu Erf Exp Floor Gelu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool HardSigmoid HardSwish
  Hardmax InstanceNormalization LRN LeakyRelu Log LogSoftmax LpNormalization LpPool MatMul Max Mean Min Mish
  Mul Neg PRelu Reciprocal Relu Round Selu Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Sub Sum Swish
  Tan Tanh ThresholdedRelu`);

/** Operators whose first input and first output have one element type, whatever the others have. */
const FIRST = words(`
  BatchNormalization Compress CumSum DepthToSpace Dropout Expand Flatten Gather GatherElements GatherND
  GridSample GroupNormalization Identity LayerNormalization LpNormalization MaxPool MaxRoiPool
  MeanVarianceNormalization Mod Pad Pow RMSNormalization ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp
  ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Reshape Resize ReverseSequence RoiAlign
  RNN LSTM GRU Scatter ScatterElements ScatterND Slice SpaceToDepth Squeeze Tile TopK Transpose Trilu
  Unsqueeze Upsample`);

/** Assumptions are tried so often, and names read again so often for each: what takes more, nobody exports. */
const ROUNDS = 4;
const TIMES_READ = 50;

const INT_RESULTS = words('ArgMax ArgMin NonMaxSuppression NonZero Shape Size');
const BOOL_RESULTS = words('And Equal Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual Not Or Xor');

/**
 * Works out element types: what the model declares (inputs, initializers, value_info), carried along
 * the operators whose types are tied, forwards and backwards, into nested graphs and into functions from
 * the places that call them. A type that contradictory calls give stays unknown.
 */
export function inferElementTypes(
  document: OnnxDocument,
  index: GraphIndex = indexGraphs(document),
  calls: Calls = indexCalls(document),
): ElementTypes {
  // A function that is called with its own result tells its type only once one is assumed: so the calls whose
  // types are known speak for the others, and where in the end they do not agree, the assumption is taken back.
  const open = new Set<Value>();
  for (let round = 1; ; round++) {
    const { types, unsettled } = infer(document, index, calls, open);
    if (unsettled.length === 0) return types;
    const given = round < ROUNDS ? unsettled : document.functions.flatMap(({ inputs }) => inputs);
    for (const input of given) open.add(input);
  }
}

/** One round; the types of the function inputs in `open` are not taken from the calls. */
function infer(
  document: OnnxDocument,
  index: GraphIndex,
  { callee: calleeOf, callers }: Calls,
  open: ReadonlySet<Value>,
): { types: ElementTypes; unsettled: readonly Value[] } {
  // By the number of the value.
  const types = new Int32Array(index.count);
  const home = (from: Scope, name: string): Scope => index.home(from, name) ?? from;
  const get: ElementTypes = (scope, name) => types[index.number(home(scope, name), name) ?? -1] || undefined;
  for (const scope of document.scopes) {
    const declare = (name: string, type: number) => {
      const number = index.number(scope, name);
      if (number !== undefined && type !== 0) types[number] = type;
    };
    for (const value of scope.values.values()) declare(value.name, value.elemType);
    for (const value of scope.outputs) declare(value.name, value.elemType);
    for (const value of scope.inputs) declare(value.name, value.elemType);
    for (const tensor of scope.initializers.values()) declare(tensor.name, tensor.elemType);
  }

  /** The nodes to visit once more, since the type of a value that they read or make has become known. */
  let affected = new Map<Node, Scope>();
  let isFirst = true; // every node is visited once again after the first time
  const set = (from: Scope, name: string | undefined, type: number | undefined) => {
    // A Cast may be to a number that is no type, and that the array would hold as another.
    if (name === undefined || name === '' || !type || type >>> 0 !== type) return;
    const scope = home(from, name);
    const number = index.number(scope, name);
    if (number === undefined || types[number] !== 0) return;
    types[number] = type;
    if (!isFirst) affect(scope, name);
  };
  function affect(scope: Scope, name: string): void {
    const producer = index.producer(scope, name);
    if (producer !== undefined) affected.set(producer, scope);
    // It may be what a nested graph takes, or gives.
    else if (scope.owner !== undefined && scope.parent !== undefined) affected.set(scope.owner, scope.parent);
    for (const use of index.uses(scope, name)) {
      if (use.kind === 'input') affected.set(use.node, use.scope);
      else if (use.scope.owner !== undefined && use.scope.parent !== undefined)
        affected.set(use.scope.owner, use.scope.parent);
      else for (const call of callers(use.scope)) affected.set(call.node, call.scope);
    }
  }
  const tie = (scope: Scope, names: readonly (string | undefined)[]) => {
    let type: number | undefined;
    for (const name of names) if (name !== undefined && name !== '') type ??= get(scope, name);
    if (type !== undefined) for (const name of names) set(scope, name, type);
  };

  const given = new Map<Scope, Map<Node, (number | undefined)[]>>(); // argument types by calling node
  const called = new Set<Scope>(); // those of which a call has been visited
  let read = 0;

  function visit(scope: Scope, node: Node): void {
    const { opType, inputs, outputs } = node;
    const callee = calleeOf(node);
    read += inputs.length + outputs.length;
    if (callee !== undefined) {
      call(scope, node, callee);
      return;
    }
    if (node.domain !== '') return;
    if (UNIFORM.has(opType)) tie(scope, [...inputs, ...outputs]);
    else if (FIRST.has(opType)) tie(scope, [inputs[0], outputs[0]]);
    else if (INT_RESULTS.has(opType)) set(scope, outputs[0], DataType.INT64);
    else if (BOOL_RESULTS.has(opType)) set(scope, outputs[0], DataType.BOOL);
    else if (opType === 'Split') tie(scope, [inputs[0], ...outputs]);
    else if (opType === 'Where') tie(scope, [inputs[1], inputs[2], outputs[0]]);
    else if (opType === 'Range') tie(scope, [...inputs, outputs[0]]);
    else if (opType === 'CastLike') tie(scope, [inputs[1], outputs[0]]);
    else if (opType === 'DequantizeLinear') tie(scope, [inputs[1], outputs[0]]);
    else if (opType === 'Cast') set(scope, outputs[0], attribute(node, 'to')?.i);
    else if (opType === 'Constant') set(scope, outputs[0], constantType(node));
    else if (opType === 'ConstantOfShape') {
      set(scope, outputs[0], attribute(node, 'value')?.tensor?.elemType ?? DataType.FLOAT);
    } else if (opType === 'If') {
      for (const branch of bodies(node)) {
        branch.outputs.forEach((output, index) => {
          cross(scope, outputs[index], branch, output.name);
        });
      }
    } else if (opType === 'Loop' || opType === 'Scan') loop(scope, node);
  }

  /** One value under two names, in two scopes. */
  function cross(outer: Scope, name: string | undefined, inner: Scope, innerName: string | undefined): void {
    if (name === undefined || name === '' || innerName === undefined || innerName === '') return;
    set(inner, innerName, get(outer, name));
    set(outer, name, get(inner, innerName));
  }

  function loop(scope: Scope, node: Node): void {
    for (const body of bodies(node)) {
      // A Loop's body also takes the iteration number and the condition, and gives the condition back.
      const isLoop = node.opType === 'Loop';
      if (isLoop) {
        set(body, body.inputs[0]?.name, DataType.INT64);
        set(body, body.inputs[1]?.name, DataType.BOOL);
      }
      const [given, taken] = isLoop ? [2, 1] : [0, 0];
      node.inputs.slice(given).forEach((name, index) => {
        cross(scope, name, body, body.inputs[index + given]?.name);
      });
      node.outputs.forEach((name, index) => {
        cross(scope, name, body, body.outputs[index + taken]?.name);
      });
    }
  }

  function call(scope: Scope, node: Node, callee: Scope): void {
    const types = node.inputs.map((name) => (name === '' ? undefined : get(scope, name)));
    given.set(callee, (given.get(callee) ?? new Map()).set(node, types));
    called.add(callee);
    callee.outputs.forEach((output, index) => {
      set(scope, node.outputs[index], get(callee, output.name));
    });
  }

  // Forwards, where nearly all types are known before they are asked for, then backwards, then wherever something has changed.
  for (const scope of document.scopes) for (const node of scope.nodes) visit(scope, node);
  isFirst = false;
  for (const scope of document.scopes.toReversed()) {
    for (let at = scope.nodes.length; at-- > 0; ) {
      const node = scope.nodes[at];
      if (node !== undefined) visit(scope, node);
    }
  }
  const most = TIMES_READ * (read + 1000);
  do {
    while (affected.size > 0 && read < most) {
      const now = affected;
      affected = new Map();
      for (const [node, scope] of now) visit(scope, node);
    }
    for (const callee of called) {
      const types = argumentTypes(callee, given.get(callee));
      callee.inputs.forEach((input, index) => {
        const [type, ...others] = [...(types[index] ?? [])].filter((type) => type !== undefined);
        if (!open.has(input) && others.length === 0) set(callee, input.name, type);
      });
    }
    called.clear();
  } while (affected.size > 0 && read < most);
  const unsettled = [...given].flatMap(([callee, callers]) => {
    const types = argumentTypes(callee, callers);
    return callee.inputs.filter((input, index) => !open.has(input) && (types[index]?.size ?? 0) > 1);
  });
  return { types: get, unsettled };
}

/** The different types, unknown among them, that the calls of a function give each of its inputs. */
function argumentTypes(
  { inputs }: Scope,
  callers: ReadonlyMap<Node, readonly (number | undefined)[]> = new Map(),
): Set<number | undefined>[] {
  const found = inputs.map(() => new Set<number | undefined>());
  let least = inputs.length; // a call may give less than all
  for (const types of callers.values()) {
    least = Math.min(least, types.length);
    types.forEach((type, index) => {
      found[index]?.add(type);
    });
  }
  for (const types of found.slice(least)) types.add(undefined);
  return found;
}

function constantType(node: Node): number | undefined {
  for (const { name, tensor } of node.attributes) {
    if (tensor !== undefined) return tensor.elemType;
    if (name === 'value_float' || name === 'value_floats') return DataType.FLOAT;
    if (name === 'value_int' || name === 'value_ints') return DataType.INT64;
    if (name === 'value_string' || name === 'value_strings') return DataType.STRING;
  }
  return undefined;
}

function bodies(node: Node): Scope[] {
  return node.attributes.flatMap((attribute) => attribute.graphs ?? []);
}
