// Parts that the gradients of RNN, GRU and LSTM share. Each direction of a node is handled by itself. Its gates are computed again
// from the hidden states.
import { attribute, type Node } from '../../onnx/document.js';
import { type Gradient, gemm } from './rule.js';
import type { Tape } from './tape.js';

/** Lengths of a recurrent node: places of the sequence, samples, features of a place, hidden units. */
interface Sizes {
  readonly places: number;
  readonly samples: number;
  readonly features: number;
  readonly hidden: number;
}

/** One direction of a recurrent node. Sequences run from the first place that it reads to the last, [places, samples, ...]. */
export interface Recurrence extends Sizes {
  readonly tape: Tape;
  /** Name of the activation of the hidden state, in lower case. */
  readonly activation: string;
  /** Hidden states after each place, and before it. */
  readonly h: string;
  readonly before: string;
  /** Weights of the input, [gates × hidden, features], and of the hidden state, [gates × hidden, hidden]. */
  readonly w: string;
  readonly r: string;
  /** The input's part of the gates and the hidden state's, [places, samples, gates × hidden], each with its bias. */
  readonly fromInput: string;
  readonly fromHidden: string;
  /** Recurrent bias, [gates × hidden]; undefined without biases. */
  readonly recurrentBias: string | undefined;
  /** Initial state of an LSTM's cells, [1, samples, hidden]. */
  readonly cells: string;
  /** Returns the gradient of the hidden state after a place by the node's outputs, [1, samples, hidden]; undefined for zero. */
  readonly given: (place: number) => string | undefined;
  /** Gradient of the last cells; undefined for zero. */
  readonly givenCells: string | undefined;
}

/** Gradients of one direction. */
export interface RecurrenceGradients {
  /** Gradients of `fromInput` and `fromHidden`. */
  readonly input: string;
  readonly hidden: string;
  /** Recurrent weights' gradient, where it is not that of `fromHidden`. */
  readonly r?: string | undefined;
  /** Gradients of the initial states, [1, samples, hidden]. */
  readonly before: string;
  readonly cells?: string | undefined;
}

/** Maximum number of places of a sequence; the graph grows with each. */
const MAX_PLACES = 1024;

/** Adds elements `index` of a tensor's first axis, which stays with length 1. */
const at = (tape: Tape, x: string, index: number) => tape.slice(x, [index], [index + 1], [0]);

/** Splits a sequence into its places. Returns the name of each, whose first axis has length 1. */
export function placesOf({ tape, places }: Recurrence, x: string): (place: number) => string {
  const names = tape.split(x, places, 0);
  return (place) => names[place] ?? '';
}

/** Adds part `index` of equal parts of a tensor's last axis (of 3). */
export const gate = ({ tape, hidden }: Recurrence, x: string, index: number) =>
  tape.slice(x, [index * hidden], [(index + 1) * hidden], [2]);

/** Adds tensors side by side along an axis. */
export const sideBySide = (tape: Tape, parts: readonly string[], axis: number) =>
  parts.length === 1 ? (parts[0] ?? '') : tape.node('Concat', parts, { axis });

/** Adds the sum of the terms that are there; '' for none. */
export function addTotal(tape: Tape, ...terms: readonly (string | undefined)[]): string {
  return tape.total(terms.filter((term) => term !== undefined));
}

/**
 * Adds the gradients of the hidden states, from the last place to the first: each is what the outputs give, plus what `step` gives
 * from the place after it. Returns them in the order of the places, and that of the initial state.
 */
export function backwards(
  { tape, places, samples, hidden, given }: Recurrence,
  step: (place: number, gradient: string) => string,
): { readonly states: string; readonly initial: string } {
  const states: string[] = [];
  let carried: string | undefined;
  for (let place = places - 1; place >= 0; place--) {
    const none = () => tape.floats(new Float32Array(samples * hidden), [1, samples, hidden]);
    const gradient = addTotal(tape, given(place), carried) || none();
    states.push(gradient);
    carried = step(place, gradient);
  }
  return { states: sideBySide(tape, states.reverse(), 0), initial: carried ?? '' };
}

/** Adds a sequence as a matrix, [places × samples, length]. */
const flat = (tape: Tape, x: string, { places, samples }: Sizes, length: number) =>
  tape.reshape(x, [places * samples, length]);

/** Adds the gradient of recurrent weights, [gates × hidden, hidden], from those of the gates and what the weights multiply. */
export function recurrentGradient(
  direction: Recurrence,
  gates: number,
  gradient: string,
  read: string,
): string {
  const { tape, hidden } = direction;
  const rows = flat(tape, gradient, direction, gates * hidden);
  return gemm(tape, [rows, flat(tape, read, direction, hidden)], { transA: 1 });
}

/** Returns the gradient rule of an operator with a number of gates. `cell` adds the gradients of one direction. */
export function recurrentRule(gates: number, cell: (direction: Recurrence) => RecurrenceGradients): Gradient {
  return (tape, node, _, outputs) => {
    const sizes = sizesOf(tape, node);
    const activations = activationsOf(node, gates);
    if (sizes === undefined || activations === undefined) return [];
    const [all = ''] = node.outputs;
    if (all === '') return []; // `withStates` of kept-nodes.ts adds this output
    const names = node.inputs.map((name) => (name === '' ? undefined : name));
    const [x = '', , , bias, , h0, c0] = names;
    const found = activations.map((activation, order) => {
      const isReverse = order === 1 || attribute(node, 'direction')?.s === 'reverse';
      const read = isReverse ? reversed(tape, x, sizes.places) : x;
      const direction = directionOf(tape, node, {
        sizes,
        gates,
        order,
        isReverse,
        activation,
        all,
        outputs,
        x: read,
      });
      return { ...gradientsOf(direction, gates, cell(direction), read), isReverse };
    });
    const stack = (parts: readonly string[]) => sideBySide(tape, parts, 0);
    const inputs = found.map(({ x, isReverse }) => (isReverse ? reversed(tape, x, sizes.places) : x));
    return [
      tape.total(inputs),
      stack(found.map(({ w }) => w)),
      stack(found.map(({ r }) => r)),
      bias && stack(found.map(({ b }) => b)),
      undefined,
      h0 && stack(found.map(({ before }) => before)),
      c0 && stack(found.map(({ cells }) => cells ?? '')),
    ];
  };
}

/** Returns the sizes of a node that the rules can differentiate; undefined for others. */
function sizesOf(tape: Tape, node: Node): Sizes | undefined {
  const [x = '', , r = '', , lengths = '', , , peepholes = ''] = node.inputs;
  const [places = 0, samples = 0, features = 0] = tape.dims(x);
  const hidden = tape.dims(r)[2] ?? 0;
  const isPlain =
    peepholes === '' &&
    (attribute(node, 'layout')?.i ?? 0) === 0 &&
    (attribute(node, 'clip')?.f ?? 0) === 0 &&
    (attribute(node, 'input_forget')?.i ?? 0) === 0;
  const isWhole = lengths === '' || tape.constant(lengths)?.every((length) => length === places) === true;
  const isSized = places > 0 && places <= MAX_PLACES && samples > 0 && hidden > 0;
  return isPlain && isWhole && isSized ? { places, samples, features, hidden } : undefined;
}

/** Activations of the hidden state that an RNN may have. */
export const PLAIN_ACTIVATIONS = ['tanh', 'relu', 'sigmoid'] as const;
/** Activations of nodes with gates, by the number of gates. */
const GATED: Readonly<Record<number, string>> = { 3: 'sigmoid,tanh', 4: 'sigmoid,tanh,tanh' };

/** Returns the activation of the hidden state of each direction; undefined if one is not differentiated. */
function activationsOf(node: Node, gates: number): string[] | undefined {
  const directions = attribute(node, 'direction')?.s === 'bidirectional' ? 2 : 1;
  const own = (attribute(node, 'activations')?.strings ?? []).map((name) => name.toLowerCase());
  if (own.length === 0) return Array.from({ length: directions }, () => 'tanh');
  const each = own.length / directions;
  const parts = Array.from({ length: directions }, (_, order) => own.slice(order * each, (order + 1) * each));
  const isKnown = (part: readonly string[]) =>
    gates === 1
      ? part.length === 1 && PLAIN_ACTIVATIONS.some((name) => name === part[0])
      : part.join() === GATED[gates];
  return parts.every(isKnown) ? parts.map((part) => part.at(-1) ?? '') : undefined;
}

const reversed = (tape: Tape, x: string, places: number) =>
  tape.node('Gather', [x, tape.ints(Array.from({ length: places }, (_, place) => places - 1 - place))], {
    axis: 0,
  });

interface DirectionOptions {
  readonly sizes: Sizes;
  readonly gates: number;
  readonly order: number;
  readonly isReverse: boolean;
  readonly activation: string;
  readonly all: string;
  readonly outputs: readonly (string | undefined)[];
  readonly x: string;
}

function directionOf(
  tape: Tape,
  node: Node,
  { sizes, gates, order, isReverse, activation, all, outputs, x }: DirectionOptions,
): Recurrence {
  const { places, samples, features, hidden } = sizes;
  const [, w = '', r = '', b = '', , h0 = '', c0 = ''] = node.inputs;
  const [gradients, last, lastCells] = outputs;
  const wide = gates * hidden;
  const inOrder = (sequence: string) => (isReverse ? reversed(tape, sequence, places) : sequence);
  /** Adds this direction's part of a sequence [places, directions, samples, hidden]. */
  const own = (sequence: string) =>
    inOrder(tape.reshape(tape.slice(sequence, [order], [order + 1], [1]), [places, samples, hidden]));
  const state = (name: string) =>
    name === ''
      ? tape.floats(new Float32Array(samples * hidden), [1, samples, hidden])
      : at(tape, name, order);
  const h = own(all);
  const before = sideBySide(
    tape,
    [state(h0), ...(places === 1 ? [] : [tape.slice(h, [0], [places - 1], [0])])],
    0,
  );
  const weights = (name: string, columns: number) => tape.reshape(at(tape, name, order), [wide, columns]);
  const bias = (start: number) =>
    b === ''
      ? undefined
      : tape.reshape(tape.slice(b, [order, start], [order + 1, start + wide], [0, 1]), [wide]);
  const recurrentBias = bias(wide);
  const apart = (rows: string) => tape.reshape(rows, [places, samples, wide]);
  const part = (sequence: string, columns: number, matrix: string, added: string | undefined) =>
    apart(
      gemm(tape, [flat(tape, sequence, sizes, columns), matrix, ...(added ? [added] : [])], { transB: 1 }),
    );
  const [ownW, ownR] = [weights(w, features), weights(r, hidden)];
  const ownGradients = gradients && tape.split(own(gradients), places, 0);
  const ownLast = last && at(tape, last, order);
  return {
    tape,
    activation,
    h,
    before,
    w: ownW,
    r: ownR,
    recurrentBias,
    cells: state(c0),
    ...sizes,
    fromInput: part(x, features, ownW, bias(0)),
    fromHidden: part(before, hidden, ownR, recurrentBias),
    given(place) {
      return addTotal(tape, ownGradients?.[place], place === places - 1 ? ownLast : undefined) || undefined;
    },
    givenCells: lastCells && at(tape, lastCells, order),
  };
}

/** Adds the gradients of a direction's weights, biases and input from those of its gates. */
function gradientsOf(direction: Recurrence, gates: number, found: RecurrenceGradients, x: string) {
  const { tape, places, samples, features, hidden } = direction;
  const wide = gates * hidden;
  const [input, recurrent] = [found.input, found.hidden].map((gradient) =>
    flat(tape, gradient, direction, wide),
  );
  const bias = (rows = '') => tape.reshape(tape.sum(rows, [0]), [1, wide]);
  const weight = gemm(tape, [input ?? '', flat(tape, x, direction, features)], { transA: 1 });
  const r = found.r ?? recurrentGradient(direction, gates, found.hidden, direction.before);
  return {
    w: tape.reshape(weight, [1, wide, features]),
    r: tape.reshape(r, [1, wide, hidden]),
    b: sideBySide(tape, [bias(input), bias(recurrent)], 1),
    x: tape.reshape(gemm(tape, [input ?? '', direction.w], {}), [places, samples, features]),
    before: found.before,
    cells: found.cells,
  };
}
