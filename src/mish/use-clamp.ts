import type { Node, Scope } from '../onnx/document.js';
import type { Calls } from '../onnx/function-calls.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { boundsOfClip, MAX_CLAMP_BOUND, type Operands } from './operands.js';
import { BINARY, isFloatCast, MOVES, movesValues, wordSet } from './use-moves.js';
import type { InputUse, Question, UseVerdict } from './value-flow.js';

// ReLU is max(x, 0). An upper bound before or after ReLU makes it half of a clamp, such as ReLU6. Moving or scaling values
// between the two keeps the clamp; averaging them, or adding another signal, does not.

/** Largest lower bound that is not a clamp. Such a bound only keeps the operand of a root or a division above zero. */
const LEAST = 0.01;

const isUpper = (bound: number | undefined) => bound !== undefined && !(bound >= MAX_CLAMP_BOUND);
const isLower = (bound: number | undefined) => bound !== undefined && !(bound <= LEAST);

const AFTER = 'a bound on its result makes it part of a clamp';
const BEFORE = 'a bound on its input makes it part of a clamp';

/** Direction of a node that adds a constant or scales by a constant: `down` where it negates; undefined for other nodes. */
function affine({ node, slot, scope }: InputUse, operands: Operands): 'up' | 'down' | undefined {
  const { opType } = node;
  if (opType === 'Neg') return 'down';
  if (!BINARY.has(opType)) return undefined;
  const { inputs } = node;
  const constant = operands.constant(scope, inputs[1 - slot]);
  if (inputs.length !== 2 || !constant?.single) return undefined;
  const { value = 1 } = constant;
  switch (opType) {
    case 'Add':
      return 'up';
    case 'Sub':
      return slot === 0 ? 'up' : 'down';
    case 'Div':
      if (slot === 1) return undefined;
      return value > 0 ? 'up' : 'down';
    case 'Mul':
      return value > 0 ? 'up' : value < 0 ? 'down' : undefined;
    default:
      return undefined;
  }
}

/** Returns the bounds that a node sets on an input; NaN for a constant bound of unknown value. */
function boundsOf({ node, slot, scope }: InputUse, operands: Operands) {
  const none = { least: undefined, most: undefined };
  const { opType } = node;
  if (opType === 'Relu') return { ...none, least: 0 };
  if (opType === 'Clip') return slot === 0 ? boundsOfClip(node, scope, operands) : none;
  if (opType !== 'Min' && opType !== 'Max') return none;
  const { inputs } = node;
  if (inputs.length > MAX_OPERANDS) return none;
  // Any other constant operand bounds the result. The tightest bound counts; an unknown bound outweighs all.
  const bounds = inputs.flatMap((name, at) => {
    const constant = at === slot ? undefined : operands.constant(scope, name);
    return constant === undefined ? [] : [constant.value ?? Number.NaN];
  });
  if (bounds.length === 0) return none;
  return opType === 'Min' ? { ...none, most: Math.min(...bounds) } : { ...none, least: Math.max(...bounds) };
}

/** Asks whether a bound after a ReLU makes a clamp of it. */
export function clampQuestion(index: GraphIndex, operands: Operands): Question {
  return {
    start: 1,
    at(use, state) {
      const { node, scope } = use;
      if (node.domain !== '') return undefined;
      const { least, most } = boundsOf(use, operands);
      if (isUpper(most) || isLower(least)) return AFTER;
      if (movesValues(use) || node.opType === 'Relu' || node.opType === 'Clip') return state;
      const way = affine(use, operands);
      if (way !== 'down') return way && state;
      // After negation a lower bound is an upper bound.
      const isBound = index
        .uses(scope, node.outputs[0] ?? '')
        .some(
          (next) =>
            next.kind === 'input' && next.node.domain === '' && boundsOf(next, operands).least !== undefined,
        );
      return isBound ? AFTER : undefined;
    },
  };
}

const MAX_OPERANDS = 8;
/** Maximum number of nodes and calls on the way back from a ReLU. */
const MAX_DISTANCE = 16;
/** Maximum number of nodes examined before a ReLU, over all calls of its function and of the functions around that. */
const MAX_EXAMINED = 128;
const BACK = new Set([...MOVES, ...wordSet('CastLike')]);

/** Searches before the input of a ReLU for a bound that makes a clamp of it. */
export function createClampBefore(index: GraphIndex, operands: Operands, calls: Calls) {
  let examined = 0;

  function before(from: Scope, input: string, distance: number): UseVerdict | undefined {
    let [scope, name, turned] = [from, input, false];
    for (let left = distance; left > 0 && examined < MAX_EXAMINED; left--) {
      examined++;
      const home = index.home(scope, name);
      const node = home && index.producer(home, name);
      if (home === undefined) return undefined;
      if (node === undefined) return turned ? undefined : atCalls(home, name, left - 1);
      if (node.domain !== '' || node.outputs[0] !== name) return undefined;
      const slot = firstChanging(node, home, operands);
      const use: InputUse = { kind: 'input', node, slot, scope: home };
      const { least, most } = boundsOf(use, operands);
      if (turned ? least !== undefined : isUpper(most)) return { why: BEFORE, node, scope: home };
      const way = BACK.has(node.opType) || isFloatCast(node) ? 'up' : affine(use, operands);
      if (way === undefined) return undefined;
      [scope, name, turned] = [home, node.inputs[slot] ?? '', turned !== (way === 'down')];
    }
    return undefined;
  }

  /** Searches before a function's argument at the calls of the function. */
  function atCalls(scope: Scope, name: string, distance: number): UseVerdict | undefined {
    const slot = scope.kind === 'function' ? scope.inputs.findIndex((input) => input.name === name) : -1;
    if (slot < 0) return undefined;
    for (const call of calls.callers(scope)) {
      if (examined >= MAX_EXAMINED) break;
      const found = before(call.scope, call.node.inputs[slot] ?? '', distance);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  return (scope: Scope, input: string): UseVerdict | undefined => {
    examined = 0;
    return before(scope, input, MAX_DISTANCE);
  };
}

/** Returns the slot of the first operand that is not constant. */
function firstChanging({ opType, inputs }: Node, scope: Scope, operands: Operands): number {
  if (inputs.length !== 2 && opType !== 'Min' && opType !== 'Max') return 0;
  const slot = inputs
    .slice(0, MAX_OPERANDS)
    .findIndex((name) => operands.constant(scope, name) === undefined);
  return Math.max(slot, 0);
}
