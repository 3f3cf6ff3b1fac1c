import { plus } from './autodiff/rule.js';
import type { GraphOptimizer } from './graph-optimizers.js';

/** Returns an optimiser that adds up the gradients of several runs and moves the parameters after the last of them. */
export function accumulated(optimizer: GraphOptimizer, runs: number): GraphOptimizer {
  if (runs <= 1) return optimizer;
  const { states, scalars } = optimizer;
  return {
    states: [...states, 'sum'],
    scalars: [...scalars, 'last'],
    scalarsAt(run, rate) {
      return [...optimizer.scalarsAt(Math.ceil(run / runs), rate), run % runs === 0 ? 1 : 0];
    },
    update(tape, parameter, gradient, before, given) {
      const [inner, last] = [given.slice(0, scalars.length), given[scalars.length] ?? ''];
      const sum = plus(tape, before[states.length] ?? '', gradient);
      const moved = optimizer.update(tape, parameter, sum, before.slice(0, states.length), inner);
      const isLast = tape.node('Greater', [last, tape.floats([0.5])]);
      const either = (after: string, otherwise: string) => tape.node('Where', [isLast, after, otherwise]);
      const kept = moved.states.map((state, place) => either(state, before[place] ?? ''));
      return {
        value: either(moved.value, parameter),
        states: [...kept, either(tape.floats([0]), sum)],
      };
    },
  };
}
