import type { Node, Scope } from '../onnx/document.js';
import type { Calls } from '../onnx/function-calls.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { boundsOfClip, type Operands } from './operands.js';
import { isFloatCast, MOVES, movesValues, words } from './use-moves.js';
import type { InputUse, Question, Verdict } from './value-flow.js';

// ReLU is max(x, 0). With an upper bound before or after it, it is half of a clamp: ReLU6 and the like. Moving values about and
// scaling them changes nothing in that; an average does, and another signal that is added.

/** A lower bound up to this much keeps a root or a divisor from zero, and is no clamp. */
const LEAST = 0.01;
/** An upper bound from this on keeps float16 from overflowing, and is no clamp. */
const MOST = 6e4;

const isUpper = (bound: number | undefined) => bound !== undefined && !(bound >= MOST);
const isLower = (bound: number | undefined) => bound !== undefined && !(bound <= LEAST);

const AFTER = 'with what bounds its result it makes a clamp';
const BEFORE = 'with what bounds its input it makes a clamp';

/** Adding a constant, or scaling by one; undefined for anything else, `down` where it turns the values over. */
function affine({ node, slot, scope }: InputUse, operands: Operands): 'up' | 'down' | undefined {
  const { opType, inputs } = node;
  if (opType === 'Neg') return 'down';
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

/** The bounds that a node sets to what goes in at a slot; NaN for one that is constant and not known. */
function boundsOf({ node, slot, scope }: InputUse, operands: Operands) {
  const none = { least: undefined, most: undefined };
  const { opType, inputs } = node;
  if (opType === 'Relu') return { ...none, least: 0 };
  if (opType === 'Clip') return slot === 0 ? boundsOfClip(node, scope, operands) : none;
  if ((opType !== 'Min' && opType !== 'Max') || inputs.length > MOST_OPERANDS) return none;
  // Any constant among the others bounds the result; the tightest counts, one that is not known above all.
  const bounds = inputs.flatMap((name, at) => {
    const constant = at === slot ? undefined : operands.constant(scope, name);
    return constant === undefined ? [] : [constant.value ?? Number.NaN];
  });
  if (bounds.length === 0) return none;
  return opType === 'Min' ? { ...none, most: Math.min(...bounds) } : { ...none, least: Math.max(...bounds) };
}

/** Whether what comes after a ReLU makes a clamp of it. */
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
      // Turned over, a lower bound is an upper one.
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

const MOST_OPERANDS = 8;
const LONGEST = 16; // steps back
const MOST_CALLS = 8;
const BACK = new Set([...MOVES, ...words('CastLike')]);

/** Looks back from a value for a bound that makes a clamp with the ReLU that takes it. */
export function createClampBefore(index: GraphIndex, operands: Operands, calls: Calls) {
  function before(from: Scope, input: string, steps = LONGEST): Verdict | undefined {
    let [scope, name, turned] = [from, input, false];
    for (let left = steps; left > 0; left--) {
      const home = index.home(scope, name);
      const node = home && index.producer(home, name);
      if (home === undefined) return undefined;
      if (node === undefined) return turned ? undefined : atCalls(home, name, left);
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

  /** An argument of a function is looked at where the function is called. */
  function atCalls(scope: Scope, name: string, steps: number): Verdict | undefined {
    const slot = scope.kind === 'function' ? scope.inputs.findIndex((input) => input.name === name) : -1;
    if (slot < 0) return undefined;
    for (const call of calls.callers(scope).slice(0, MOST_CALLS)) {
      const found = before(call.scope, call.node.inputs[slot] ?? '', steps / MOST_CALLS);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  return before;
}

/** The slot of the first operand that is no constant. */
function firstChanging({ opType, inputs }: Node, scope: Scope, operands: Operands): number {
  if (inputs.length !== 2 && opType !== 'Min' && opType !== 'Max') return 0;
  const slot = inputs
    .slice(0, MOST_OPERANDS)
    .findIndex((name) => operands.constant(scope, name) === undefined);
  return Math.max(slot, 0);
}
