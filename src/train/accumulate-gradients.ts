import { over, plus, scaled, times } from './autodiff/rule.js';
import type { GraphOptimizer } from './graph-optimizers.js';

/**
 * Returns an optimiser that adds up the gradients of `count` runs, each times `share`, and moves the parameters in the last of
 * them, for models that take only small batches. Clipping acts on the sum. By default the gradients are averaged, over all predictions that
 * count. The learning rate of the last run applies.
 */
export function accumulating(optimizer: GraphOptimizer, count: number, share?: number): GraphOptimizer {
  if (count <= 1) return optimizer;
  const shares: GraphOptimizer['shares'] = (tape, counted, before, scalars) => {
    const [keep = ''] = scalars.slice(-2);
    const former = times(tape, before, keep);
    const all = plus(tape, former, counted);
    const whole = tape.node('Max', [all, tape.floats([1])]);
    return { before: over(tape, former, whole), run: over(tape, counted, whole), counted: all };
  };
  return {
    states: [...optimizer.states, 'gradient'],
    scalars: [...optimizer.scalars, 'keep', 'apply'],
    scalarsAt(run, rate) {
      const [step, place] = [Math.floor((run - 1) / count), (run - 1) % count];
      return [...optimizer.scalarsAt(step + 1, rate), place === 0 ? 0 : 1, place === count - 1 ? 1 : 0];
    },
    ...(share === undefined ? { shares } : {}),
    accumulate(tape, gradient, states, scalars, weights) {
      const [sum = ''] = states.slice(-1);
      const [keep = ''] = scalars.slice(-2);
      if (weights !== undefined)
        return plus(tape, times(tape, sum, weights.before), times(tape, gradient, weights.run));
      return plus(tape, times(tape, sum, keep), scaled(tape, gradient, share ?? 1 / count));
    },
    update(tape, parameter, total, states, scalars) {
      const [apply = ''] = scalars.slice(-1);
      const [inner, innerScalars] = [states.slice(0, -1), scalars.slice(0, -2)];
      const moved = optimizer.update(tape, parameter, total, inner, innerScalars);
      const isLast = tape.node('Greater', [apply, tape.floats([0.5])]);
      const chosen = (after: string, before: string) => tape.node('Where', [isLast, after, before]);
      return {
        value: chosen(moved.value, parameter),
        states: moved.states.map((name, at) => chosen(name, inner[at] ?? '')),
      };
    },
  };
}
