// Gradients of RNN, GRU and LSTM, with the equations of ONNX's operators.
import {
  addTotal,
  backwards,
  gate,
  placesOf,
  type Recurrence,
  type RecurrenceGradients,
  recurrentGradient,
  recurrentRule,
  sideBySide,
} from './recurrence.js';
import { complement, type Gradients, plus, reluMask, square, times } from './rule.js';
import type { Tape } from './tape.js';

/** Derivatives of sigmoid and tanh, from their results. */
const ofSigmoid = (tape: Tape, y: string) => times(tape, y, complement(tape, y));
const ofTanh = (tape: Tape, y: string) => complement(tape, square(tape, y));

/** hₜ = f(aₜ), where aₜ is the part of the input plus the part of the hidden state. */
function rnn(direction: Recurrence): RecurrenceGradients {
  const { tape, activation, h, r } = direction;
  const slopes =
    activation === 'relu'
      ? reluMask(tape, h)
      : activation === 'sigmoid'
        ? ofSigmoid(tape, h)
        : ofTanh(tape, h);
  const slope = placesOf(direction, slopes);
  const { states, initial } = backwards(direction, (place, gradient) =>
    tape.node('MatMul', [times(tape, gradient, slope(place)), r]),
  );
  const gates = times(tape, states, slopes);
  return { input: gates, hidden: gates, before: initial };
}

/** cₜ = f cₜ₋₁ + i g and hₜ = o tanh(cₜ). The gates are stored as i, o, f, g. */
function lstm(direction: Recurrence): RecurrenceGradients {
  const { tape, r, places, fromInput, fromHidden } = direction;
  const sums = plus(tape, fromInput, fromHidden);
  const [i = '', o = '', f = ''] = [0, 1, 2].map((index) =>
    tape.node('Sigmoid', [gate(direction, sums, index)]),
  );
  const g = tape.node('Tanh', [gate(direction, sums, 3)]);
  const [forget, added] = [placesOf(direction, f), placesOf(direction, times(tape, i, g))];
  const cells = [direction.cells];
  for (let place = 0; place < places; place++)
    cells.push(plus(tape, times(tape, forget(place), cells[place] ?? ''), added(place)));
  const bent = tape.node('Tanh', [sideBySide(tape, cells.slice(1), 0)]);
  const ofCells = placesOf(direction, times(tape, o, ofTanh(tape, bent)));
  const slopes = sideBySide(
    tape,
    [
      times(tape, ofSigmoid(tape, i), g),
      times(tape, ofSigmoid(tape, o), bent),
      times(tape, ofSigmoid(tape, f), sideBySide(tape, cells.slice(0, -1), 0)),
      times(tape, i, ofTanh(tape, g)),
    ],
    2,
  );
  const slope = placesOf(direction, slopes);
  const gates: string[] = [];
  let carried = direction.givenCells;
  const { initial } = backwards(direction, (place, gradient) => {
    const cell = addTotal(tape, times(tape, gradient, ofCells(place)), carried);
    const four = sideBySide(tape, [cell, gradient, cell, cell], 2);
    const found = times(tape, four, slope(place));
    gates.push(found);
    carried = times(tape, cell, forget(place));
    return tape.node('MatMul', [found, r]);
  });
  const all = sideBySide(tape, gates.reverse(), 0);
  return { input: all, hidden: all, before: initial, cells: carried };
}

/** Adds the gates z and r of a GRU, and the derivatives of a state by the sums in z and in n, the candidate of the state. */
function gruGates(direction: Recurrence, candidate: (r: string) => string) {
  const { tape, before, fromInput, fromHidden } = direction;
  const sums = plus(tape, fromInput, fromHidden);
  const [z = '', r = ''] = [0, 1].map((index) => tape.node('Sigmoid', [gate(direction, sums, index)]));
  const n = tape.node('Tanh', [plus(tape, gate(direction, fromInput, 2), candidate(r))]);
  const ofZ = times(tape, tape.node('Sub', [before, n]), ofSigmoid(tape, z));
  return { z, r, ofZ, ofN: times(tape, complement(tape, z), ofTanh(tape, n)) };
}

/** hₜ = (1 − z) n + z hₜ₋₁, where n reads r × (hₜ₋₁ R + b). The gates are stored as z, r, n. */
function gruResetAfter(direction: Recurrence): RecurrenceGradients {
  const { tape, fromHidden } = direction;
  const recurrent = gate(direction, fromHidden, 2);
  const { z, r, ofZ, ofN } = gruGates(direction, (reset) => times(tape, reset, recurrent));
  const ofR = times(tape, ofN, times(tape, recurrent, ofSigmoid(tape, r)));
  const ofHidden = sideBySide(tape, [ofZ, ofR, times(tape, ofN, r)], 2);
  const [keep, slope] = [placesOf(direction, z), placesOf(direction, ofHidden)];
  const thrice = (gradient: string) => sideBySide(tape, [gradient, gradient, gradient], 2);
  const { states, initial } = backwards(direction, (place, gradient) => {
    const gates = times(tape, thrice(gradient), slope(place));
    return plus(tape, times(tape, gradient, keep(place)), tape.node('MatMul', [gates, direction.r]));
  });
  const all = thrice(states);
  return {
    input: times(tape, all, sideBySide(tape, [ofZ, ofR, ofN], 2)),
    hidden: times(tape, all, ofHidden),
    before: initial,
  };
}

/** hₜ = (1 − z) n + z hₜ₋₁, where n reads (r × hₜ₋₁) R + b. The gates are stored as z, r, n. */
function gruResetBefore(direction: Recurrence): RecurrenceGradients {
  const { tape, before, hidden, recurrentBias } = direction;
  const rows = (start: number, end: number) => tape.slice(direction.r, [start * hidden], [end * hidden], [0]);
  const [ofGates, ofCandidate] = [rows(0, 2), rows(2, 3)];
  let read = '';
  const { z, r, ofZ, ofN } = gruGates(direction, (reset) => {
    read = times(tape, reset, before);
    const product = tape.node('MatMul', [read, tape.node('Transpose', [ofCandidate], { perm: [1, 0] })]);
    if (recurrentBias === undefined) return product;
    return plus(tape, product, tape.slice(recurrentBias, [2 * hidden], [3 * hidden], [0]));
  });
  const ofR = times(tape, before, ofSigmoid(tape, r));
  const [slopeN, slopeZ, slopeR] = [
    placesOf(direction, ofN),
    placesOf(direction, ofZ),
    placesOf(direction, ofR),
  ];
  const [keep, reset] = [placesOf(direction, z), placesOf(direction, r)];
  const gates: string[] = [];
  const { initial } = backwards(direction, (place, gradient) => {
    const n = times(tape, gradient, slopeN(place));
    const through = tape.node('MatMul', [n, ofCandidate]);
    const both = [times(tape, gradient, slopeZ(place)), times(tape, through, slopeR(place))];
    gates.push(sideBySide(tape, [...both, n], 2));
    return addTotal(
      tape,
      times(tape, gradient, keep(place)),
      tape.node('MatMul', [sideBySide(tape, both, 2), ofGates]),
      times(tape, through, reset(place)),
    );
  });
  const all = sideBySide(tape, gates.reverse(), 0);
  const parts = [
    recurrentGradient(direction, 2, tape.slice(all, [0], [2 * hidden], [2]), before),
    recurrentGradient(direction, 1, gate(direction, all, 2), read),
  ];
  return { input: all, hidden: all, r: sideBySide(tape, parts, 0), before: initial };
}

/** The gradients of recurrent operators. */
export const RECURRENT: Gradients = {
  RNN: recurrentRule(1, rnn),
  LSTM: recurrentRule(4, lstm),
  GRU: (tape, node, ...rest) => {
    const isAfter = node.attributes.some(({ name, i }) => name === 'linear_before_reset' && i !== 0);
    return recurrentRule(3, isAfter ? gruResetAfter : gruResetBefore)(tape, node, ...rest);
  },
};
