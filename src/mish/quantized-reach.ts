import { type Node, nodeLabel, rewriteObstacle, type Scope } from '../onnx/document.js';
import type { Calls } from '../onnx/function-calls.js';
import type { GraphIndex, Use } from '../onnx/graph-index.js';
import { constantTensor } from './constants.js';
import { readsShape } from './homogeneous.js';
import {
  isDequantizer,
  isQuantizer,
  isSameQuantization,
  type Quantization,
  quantizationObstacle,
  quantizationOf,
  type Range,
  rangeOf,
} from './quantization.js';
import { MOVES, movesValues, wordSet } from './use-moves.js';
import type { InputUse } from './value-flow.js';
import { heldRange, isNonNegative } from './value-sign.js';

/** A QuantizeLinear that an activation reaches, with the nodes that read its integers. */
export interface Reached {
  readonly node: Node;
  readonly quantization: Quantization;
  readonly dequantizers: Node[];
  /** Whether the activation meets other values before. */
  joined: boolean;
  /** Whether only moves lie between. */
  direct: boolean;
  /** By how much the values may fall and rise if the activation falls by 1. */
  change: Change;
}

/** The largest fall and rise of values. */
interface Change {
  readonly fall: number;
  readonly rise: number;
}

/** Returns the QuantizeLinear nodes that quantise an activation itself. */
export const directlyReached = (reached: readonly Reached[]): Reached[] =>
  reached.filter(({ direct, joined }) => direct && !joined);

/** Returns the QuantizeLinear nodes whose scales were made for an activation, or the reason why they cannot be made anew. */
export type Reach = (scope: Scope, name: string) => readonly Reached[] | string;

/** Returns whether a use reads the shape of a value, and not its numbers. */
export const isShapeUse = (use: Use): boolean => use.kind === 'input' && readsShape(use.node);

/** Operators whose results stay within the range of their input. */
const WITHIN = wordSet('AveragePool GlobalAveragePool ReduceMean Resize Upsample');
/** Operators whose results change by at most as much as an operand. */
const SUMS = wordSet('Add Sum Sub Mean');
/** Operators that do so as well, unless an operand is a constant: then they are part of an activation. */
const BOUNDS = wordSet('Max Min');
/** Operators with new values as their result, whose scale stays. */
const ENDS = wordSet(`Conv ConvTranspose Gemm MatMul RNN LSTM GRU BatchNormalization InstanceNormalization
  LayerNormalization GroupNormalization Softmax LogSoftmax Sigmoid Tanh HardSigmoid Relu LeakyRelu PRelu Elu Selu
  Mish Gelu HardSwish Softplus Erf`);
/** Maximum number of uses examined per model. Only a hostile model has more. */
const MAX_STEPS = 2e6;

interface Step {
  readonly name: string;
  readonly joined: boolean;
  readonly direct: boolean;
  readonly change: Change;
  /** The quantiser of integers; undefined for floats. */
  readonly of: Reached | undefined;
}

/** Returns the change of a product or quotient with an operand of this range. */
function scaled({ fall, rise }: Change, { least, most }: Range): Change {
  const [up, down] = [Math.max(0, most), Math.max(0, -least)];
  return { fall: Math.max(fall * up, rise * down), rise: Math.max(rise * up, fall * down) };
}

/** Returns what a change of an operand does to a node's result; undefined if that is unknown. */
function changed(index: GraphIndex, { node, scope, slot }: InputUse, change: Change): Change | undefined {
  const { opType, inputs } = node;
  if (opType === 'Sub' && slot === 1) return { fall: change.rise, rise: change.fall };
  const isBound = (name: string) => constantTensor(index, scope, name) !== undefined;
  if (BOUNDS.has(opType)) return inputs.some(isBound) ? undefined : change;
  if (SUMS.has(opType)) return change;
  if (opType !== 'Mul' && (opType !== 'Div' || slot !== 0)) return undefined;
  const range = heldRange(index, scope, inputs[1 - slot] ?? '');
  if (range === undefined || opType === 'Mul') return range && scaled(change, range);
  const { least, most } = range;
  return least === most && most !== 0 ? scaled(change, { least: 1 / most, most: 1 / most }) : undefined;
}

/** Creates a `Reach` for a document. All `Reach` calls share the limit on uses. */
export function createReach(index: GraphIndex, calls: Calls): Reach {
  let steps = 0;

  /** Adds the next steps. Returns the reason why a use forbids a new scale. */
  function follow(step: Step, use: Use, scope: Scope, queue: Step[], found: Map<Node, Reached>) {
    const { of } = step;
    if (use.kind === 'output') {
      if (of !== undefined) return 'its integers are an output of the model';
      return scope.parent === undefined && scope.kind === 'graph' ? undefined : `${scope.path} returns it`;
    }
    if (isShapeUse(use)) return undefined;
    const { node, slot } = use;
    const label = nodeLabel(node);
    if (use.scope !== scope) return `${label} reads it in a nested graph`;
    const isQuantising = isQuantizer(node) || isDequantizer(node);
    if ((node.domain !== '' && !isQuantising) || calls.callee(node) !== undefined) return `${label} reads it`;
    if (isQuantising && rewriteObstacle(node)) return `${label} cannot be written again`;
    const go = (changes: Partial<Step> = {}) => {
      const outputs = node.opType === 'Split' ? node.outputs : node.outputs.slice(0, 1);
      for (const name of outputs) queue.push({ ...step, ...changes, name });
      return undefined;
    };
    if (of !== undefined) {
      if (slot === 0 && MOVES.has(node.opType)) return go();
      if (!isDequantizer(node) || slot !== 0) return `${label} reads its integers`;
      const { quantization, dequantizers } = of;
      const same = isSameQuantization(
        quantization,
        quantizationOf(index, scope, node, quantization.elemType),
      );
      if (!same) return `${label} has another scale than ${nodeLabel(of.node)}`;
      if (!dequantizers.includes(node)) dequantizers.push(node);
      return go({ of: undefined });
    }
    if (isQuantizer(node) && slot === 0) {
      const quantization = quantizationOf(index, scope, node);
      if (quantization === undefined) return quantizationObstacle(index, scope, node);
      const known = found.get(node);
      if (step.joined && rangeOf(quantization).least >= 0) {
        const isPositive = isNonNegative(index, scope, step.name);
        if (isPositive === undefined) return `${label} may clip negative values`;
        if (!isPositive) return undefined; // it is an activation of its own
      }
      const { change } = step;
      const entry = known ?? { node, quantization, dequantizers: [], joined: false, direct: true, change };
      const { fall, rise } = entry.change;
      entry.change = { fall: Math.max(fall, change.fall), rise: Math.max(rise, change.rise) };
      const isMore = entry.change.fall > fall || entry.change.rise > rise;
      if (step.joined) entry.joined = true;
      if (!step.direct) entry.direct = false;
      found.set(node, entry);
      return known === undefined || isMore ? go({ of: entry, direct: false }) : undefined;
    }
    if (movesValues(use)) return go(MOVES.has(node.opType) ? {} : { joined: true, direct: false });
    if (slot === 0 && WITHIN.has(node.opType)) return go({ direct: false });
    const change = changed(index, use, step.change);
    if (change !== undefined) return go({ joined: true, direct: false, change });
    return ENDS.has(node.opType) ? undefined : `${label} reads it`;
  }

  return (scope, name) => {
    const found = new Map<Node, Reached>();
    const queue: Step[] = [
      { name, joined: false, direct: true, change: { fall: 1, rise: 0 }, of: undefined },
    ];
    const seen = new Set<string>();
    for (const step of queue) {
      const { fall, rise } = step.change;
      const key = `${step.joined} ${step.direct} ${fall} ${rise} ${step.of !== undefined} ${step.name}`;
      if (seen.has(key)) continue;
      seen.add(key);
      for (const use of index.uses(scope, step.name)) {
        if (++steps > MAX_STEPS) return 'the model has too many uses to follow';
        const obstacle = follow(step, use, scope, queue, found);
        if (obstacle !== undefined) return obstacle;
      }
    }
    return [...found.values()];
  };
}
