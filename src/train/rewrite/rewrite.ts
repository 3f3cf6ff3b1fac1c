// Rewrites a forward pass for training: fewer passes over memory, and the blocked layout where there is one.
import type { ComposedNode } from '../../onnx/compose.js';
import { composedNode } from '../../onnx/composed-node.js';
import { attribute, type Node } from '../../onnx/document.js';
import { elementCount } from '../../providers/tensor.js';
import { ELEMENTWISE } from '../autodiff/gradients-elementwise.js';
import { axisOf, type Gradient, scaled, times } from '../autodiff/rule.js';
import type { Tape } from '../autodiff/tape.js';
import { gateAt, writeGate } from './activations.js';
import { trainedBatchNorm } from './batch-norm.js';
import { filled, inWholeBlocks, meanOfPlaces, timesEachChannel } from './blocks.js';
import { createContext, type RewriteContext } from './context.js';
import { blockedKind, writeConvGroup } from './conv-group.js';
import { capturedNames, standIn, withStates } from './kept-nodes.js';
import { type RunningStatistics, writeNormGroup } from './norm-group.js';
import { type Readers, readersOf } from './readers.js';

/** A forward pass as training runs it. */
export interface Rewritten {
  /** The nodes for differentiation; some stand for several nodes of the model. */
  readonly nodes: readonly Node[];
  /** Rules that take precedence over those of the operators. */
  readonly rules: ReadonlyMap<Node, Gradient>;
  /** The nodes to write in place of nodes of the model. */
  readonly replaced: ReadonlyMap<Node, readonly ComposedNode[]>;
  /** Nodes to write after those of the model. */
  readonly rest: readonly ComposedNode[];
  /** The next running statistics of each trained batch normalisation. */
  readonly statistics: ReadonlyMap<Node, RunningStatistics>;
  /** The names under which the outputs are in the plain layout, in the given order. */
  readonly outputs: readonly string[];
  dims(name: string): readonly number[];
}

export interface RewriteOptions {
  /** Elements of a block of channels; undefined for the plain layout. */
  readonly block: number | undefined;
  /** The batch normalisations in training mode. */
  readonly trainedNorms: ReadonlySet<Node>;
  /** Tensors that depend on the weights. */
  readonly moving: ReadonlySet<string>;
  /** Tensors that the loss reads. */
  readonly outputs: readonly string[];
}

/** Rewrites the nodes of a forward pass. */
export function rewriteForward(tape: Tape, nodes: readonly Node[], options: RewriteOptions): Rewritten {
  const captured = capturedNames(nodes);
  const pinned = nodes.filter((node) => composedNode(node) === undefined).flatMap(({ inputs }) => inputs);
  const context = createContext(tape, options.block, new Set([...captured, ...pinned]));
  const readers = readersOf(nodes, [...options.outputs, ...captured]);
  const statistics = new Map<Node, RunningStatistics>();
  const running = new Map<string, RunningStatistics>();
  /** Functions that write the nodes in place of the last node of a group. */
  const writers = new Map<Node, () => void>();
  /** Nodes that a group contains. */
  const taken = new Set<Node>();
  const put = (last: Node, members: readonly Node[], write: () => void) => {
    for (const member of members) {
      taken.add(member);
      if (member !== last) context.put(member, []);
    }
    writers.set(last, write);
  };
  for (const node of nodes) {
    if (!taken.has(node))
      planGroup(context, node, {
        readers,
        statistics,
        running,
        put,
        taken,
        trainedNorms: options.trainedNorms,
        moving: options.moving,
      });
    const write = writers.get(node);
    if (write !== undefined) write();
    else if (!taken.has(node)) passOn(context, node);
  }
  const outputs = options.outputs.map((name) => context.plain(name));
  const { rules, replaced, dims } = context;
  return { nodes: context.nodes, rules, replaced, rest: context.rest(), statistics, outputs, dims };
}

interface Planning {
  readonly readers: Readers;
  readonly statistics: Map<Node, RunningStatistics>;
  /** The statistics after the last call so far of a layer that is called several times, by the name of its running mean. */
  readonly running: Map<string, RunningStatistics>;
  readonly trainedNorms: ReadonlySet<Node>;
  readonly moving: ReadonlySet<string>;
  readonly taken: ReadonlySet<Node>;
  put(last: Node, members: readonly Node[], write: () => void): void;
}

/** Plans the group that begins at a node, if one does. */
function planGroup(context: RewriteContext, node: Node, planning: Planning): void {
  const { domain, opType } = node;
  if (domain !== '') return;
  if (opType === 'Conv') planConv(context, node, planning);
  else if (opType === 'BatchNormalization') planNorm(context, node, planning);
  else if (opType === 'Softplus' || opType === 'Clip') {
    const gate = gateAt(node, planning.readers, context);
    if (gate !== undefined && !gate.nodes.some((member) => planning.taken.has(member)))
      planning.put(gate.last, gate.nodes, () => writeGate(context, gate));
  }
}

const outputOf = (node: Node) => node.outputs[0] ?? '';
const isOf = (node: Node | undefined, opType: string): node is Node =>
  node !== undefined && node.domain === '' && node.opType === opType;

function planConv(context: RewriteContext, conv: Node, planning: Planning): void {
  const { readers, trainedNorms } = planning;
  const next = readers.only(outputOf(conv));
  const isFolded =
    isOf(next, 'BatchNormalization') && next.inputs[0] === outputOf(conv) && !trainedNorms.has(next);
  const norm = isFolded && hasFixedStatistics(next, planning) ? next : undefined;
  const end = norm ?? conv;
  const tail = blockedKind(conv, context) === undefined ? undefined : tailOf(context, end, planning);
  const blocked = tail !== undefined && !context.unblockable.has(outputOf(tail.last));
  if (norm === undefined && !blocked) return;
  const members = norm === undefined ? [conv] : [conv, norm];
  const group = blocked ? tail : { last: end, relu: false, nodes: [] };
  planning.put(group.last, [...members, ...group.nodes], () =>
    writeConvGroup(context, { conv, norm, blocked, ...group }),
  );
}

/** Returns whether no weight changes the given statistics of a batch normalisation: a group has no gradient for them. */
const hasFixedStatistics = ({ inputs }: Node, { moving }: Planning) =>
  !inputs.slice(3).some((name) => moving.has(name));

function planNorm(context: RewriteContext, norm: Node, planning: Planning): void {
  const { statistics, trainedNorms, running } = planning;
  const trained = trainedNorms.has(norm);
  if (!trained && !hasFixedStatistics(norm, planning)) return;
  const [mean = '', variance = ''] = norm.inputs.slice(3);
  const before = () => running.get(mean) ?? { mean, variance };
  const keep = (next: RunningStatistics) => {
    statistics.set(norm, next);
    running.set(mean, next);
  };
  // A later call starts from the statistics of the call before. So each is written at its own node, not at the last node of a group.
  const calls = [...trainedNorms].filter(({ inputs }) => inputs[3] === mean).length;
  const tail =
    trained && calls > 1 ? { relu: false, last: norm, nodes: [] } : tailOf(context, norm, planning);
  if (context.blocked.has(norm.inputs[0] ?? '') && !context.unblockable.has(outputOf(tail.last))) {
    planning.put(tail.last, [norm, ...tail.nodes], () => {
      const next = writeNormGroup(context, { norm, trained, before: before(), ...tail });
      if (next !== undefined) keep(next);
    });
  } else if (trained) {
    planning.put(norm, [norm], () => {
      const { mean, variance } = before();
      const plain = standIn(
        norm,
        [...norm.inputs.slice(0, 3), mean, variance].map((name) => context.plain(name)),
      );
      const { forward, gradient, nextMean, nextVariance } = trainedBatchNorm(plain, context.forward);
      context.put(norm, forward);
      context.stand(norm, plain.inputs, norm.outputs, gradient);
      keep({ mean: nextMean, variance: nextVariance });
    });
  }
}

/** An addition and a Relu after a group. */
interface Tail {
  readonly summand?: string | undefined;
  readonly relu: boolean;
  readonly last: Node;
  readonly nodes: readonly Node[];
}

/** Finds the addition and the Relu that only a group feeds. */
function tailOf({ dims }: RewriteContext, end: Node, { readers, taken }: Planning): Tail {
  const nodes: Node[] = [];
  let last = end;
  let summand: string | undefined;
  const add = readers.only(outputOf(last));
  const other = add?.inputs.find((name) => name !== outputOf(last));
  if (isOf(add, 'Add') && !taken.has(add) && other !== undefined) {
    if (dims(other).join() === dims(outputOf(last)).join()) {
      summand = other;
      last = add;
      nodes.push(add);
    }
  }
  const relu = readers.only(outputOf(last));
  const hasRelu = isOf(relu, 'Relu') && !taken.has(relu);
  if (hasRelu) nodes.push(relu);
  return { summand, relu: hasRelu, last: nodes.at(-1) ?? last, nodes };
}

/** Operators that work on blocked tensors as they are, if all operands have one shape or a single element. */
const LAYOUT_FREE = new Set(Object.keys(ELEMENTWISE));
for (const op of ['Cast', 'Where', 'Dropout']) LAYOUT_FREE.delete(op);

/**
 * Those whose values and derivatives are finite everywhere. What fills up blocks begins as zero, and every weight of it is zero: so it
 * changes no result as long as it is finite. Div by a single element is one of them as well.
 */
const FINITE = new Set(
  'Add Sub Mul Sum Mean Max Min Identity Neg Abs Clip Relu LeakyRelu PRelu ThresholdedRelu Shrink Elu Celu Selu HardSigmoid HardSwish Sigmoid Swish Gelu Mish Tanh Softplus Softsign Erf Sin Cos Atan'.split(
    ' ',
  ),
);

/** Keeps a node of the model. Its inputs are read in the layout that the node needs. */
function passOn(context: RewriteContext, node: Node): void {
  const { blocked, dims, block = 1 } = context;
  if (!node.inputs.some((name) => blocked.has(name))) {
    keep(context, node, node.inputs);
    return;
  }
  const [x = ''] = node.inputs;
  const whole = dims(outputOf(node));
  const shape = whole.join();
  const allowed = node.domain === '' && !node.outputs.some((name) => context.unblockable.has(name));
  const bounded =
    FINITE.has(node.opType) || (node.opType === 'Div' && elementCount(dims(node.inputs[1] ?? '')) === 1);
  const free =
    allowed &&
    LAYOUT_FREE.has(node.opType) &&
    (bounded || (whole[1] ?? 1) % block === 0) &&
    node.inputs.every((name) => name === '' || dims(name).join() === shape || elementCount(dims(name)) === 1);
  const joins = allowed && joinsWholeBlocks(node, context);
  if (free || joins) {
    const inBlocks = (name: string) => joins || dims(name).join() === shape;
    keep(
      context,
      node,
      node.inputs.map((name) => (inBlocks(name) ? context.inBlocks(name) : name)),
    );
    blocked.add(outputOf(node));
    return;
  }
  const factor = allowed ? eachChannel(node, context) : undefined;
  if (factor !== undefined) {
    writeTimes(context, node, factor);
    return;
  }
  if (isMeanOfPlaces(node, context)) {
    writeMean(context, node, x);
    return;
  }
  const inputs = node.inputs.map((name) => context.plain(name));
  keep(context, node, inputs);
}

/** Keeps a node, with other inputs where they differ, and with the output that its gradient reads. */
function keep(context: RewriteContext, node: Node, inputs: readonly string[]): void {
  const same = inputs.every((name, slot) => name === node.inputs[slot]);
  const copy = same ? node : standIn(node, inputs);
  const whole = withStates(copy);
  const composed = whole === node ? undefined : composedNode(whole);
  if (composed !== undefined) context.put(node, [composed]);
  context.nodes.push(composed === undefined ? copy : whole);
}

function isMeanOfPlaces(node: Node, { dims, forward }: RewriteContext): boolean {
  if (node.domain !== '') return false;
  if (node.opType === 'GlobalAveragePool') return true;
  if (node.opType !== 'ReduceMean') return false;
  const axes = attribute(node, 'axes')?.ints ?? forward.constant(node.inputs[1] ?? '') ?? [];
  const rank = dims(node.inputs[0] ?? '').length;
  const places = axes.map((axis) => (axis + rank) % rank).toSorted((a, b) => a - b);
  return places.join() === '2,3';
}

/** Writes a mean over places, whose output is plain. */
function writeMean(context: RewriteContext, node: Node, x: string): void {
  const { forward, block = 1, dims } = context;
  const y = outputOf(node);
  const [samples = 1, channels = 1, ...places] = dims(x);
  const count = elementCount(places);
  const mean = forward.reshape(meanOfPlaces(forward, x, dims(x), block), dims(y));
  context.put(node, [['Identity', [mean], [y]]]);
  context.stand(node, [x], [y], (tape, _, g) => {
    const stored = inWholeBlocks(channels, block);
    const all = filled(tape, tape.reshape(g, [samples, channels]), [samples, channels], [samples, stored]);
    const each = scaled(tape, tape.reshape(all, [samples, stored / block, 1, block]), 1 / count);
    const wide = tape.node('Expand', [each, tape.ints([samples, stored / block, count, block])]);
    return [tape.reshape(wide, [samples, stored, ...places])];
  });
}

/** Whether a Concat joins whole blocks of channels, which are stored after one another in each sample. */
function joinsWholeBlocks(node: Node, { block = 1, dims }: RewriteContext): boolean {
  if (node.opType !== 'Concat') return false;
  return node.inputs.every((name) => {
    const { length, 1: channels = 1 } = dims(name);
    return length === 4 && axisOf(node, length, 1) === 1 && channels % block === 0;
  });
}

/** Returns the operand of a Mul that has one element for each sample and channel of the other, which is blocked. */
function eachChannel({ opType, inputs }: Node, { blocked, dims }: RewriteContext) {
  const [a = '', b = ''] = inputs;
  if (opType !== 'Mul') return undefined;
  for (const [x, factor] of [
    [a, b],
    [b, a],
  ] as const) {
    const [samples, channels] = dims(x);
    if (blocked.has(x) && dims(factor).join() === [samples, channels, 1, 1].join()) return { x, factor };
  }
  return undefined;
}

/** Writes the product of a blocked tensor and a factor of each sample and channel, as in squeeze-and-excitation. */
function writeTimes(context: RewriteContext, node: Node, given: { x: string; factor: string }): void {
  const { forward, block = 1, dims } = context;
  const { x } = given;
  const factor = context.plain(given.factor);
  const y = outputOf(node);
  const dx = dims(x);
  context.put(node, [['Identity', [timesEachChannel(forward, x, factor, dx, block)], [y]]]);
  context.blocked.add(y);
  context.stand(node, [x, factor], [y], (tape, _, g) => {
    const means = meanOfPlaces(tape, times(tape, g, x), dx, block);
    return [timesEachChannel(tape, g, factor, dx, block), scaled(tape, means, elementCount(dx.slice(2)))];
  });
}
