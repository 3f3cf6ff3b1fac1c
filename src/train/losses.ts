import type { Tape } from './autodiff/tape.js';

/** One loss term: factor × the mean squared difference between a tensor and its target. */
export interface LossTerm {
  readonly name: string;
  readonly factor: number;
}

/** A loss on a tape, and its gradient with respect to each tensor that it reads. */
export interface Loss {
  readonly loss: string;
  readonly gradients: readonly (readonly [name: string, gradient: string])[];
}

/** Adds the sum of loss terms to a tape. `target` names the tensor that holds a term's target. */
export function squaredDifferences(
  tape: Tape,
  terms: readonly LossTerm[],
  target: (name: string) => string,
): Loss {
  const losses: string[] = [];
  const gradients: [string, string][] = [];
  for (const { name, factor } of terms) {
    const count = tape.dims(name).reduce((product, dim) => product * dim, 1);
    const difference = tape.node('Sub', [name, target(name)]);
    const gradient = tape.node('Mul', [difference, tape.floats([(2 * factor) / count])]);
    const squares = tape.sum(tape.reshape(tape.node('Mul', [difference, gradient]), [-1]), [0]);
    losses.push(tape.node('Mul', [squares, tape.floats([0.5])]));
    gradients.push([name, gradient]);
  }
  return { loss: tape.total(losses), gradients };
}
