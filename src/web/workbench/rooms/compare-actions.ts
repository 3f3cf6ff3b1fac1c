// Actions of the room Compare: asks the worker and stores its answers in the state.
import { proxy } from 'comlink';
import { answerTo } from '../page/asker.js';
import { bench } from '../page/bench.js';
import type { CompareEvent } from '../room-protocol.js';
import { type CompareAction, type CompareState, compareChoice } from './compare-state.js';

export interface CompareActions {
  /** Trains the net with each activation; `resume` goes on after a stop. */
  start(resume?: boolean): Promise<void>;
  stop(): void;
}

/** Returns the actions. `state` returns the state at the time of its call. */
export function compareActions(
  state: () => CompareState,
  dispatch: (action: CompareAction) => void,
): CompareActions {
  /** Number of comparisons so far; events and answers of earlier ones are dropped. */
  let comparisons = 0;
  return {
    async start(resume = false) {
      const current = ++comparisons;
      const choice = compareChoice(state().settings);
      dispatch({ kind: 'start', choice, resume });
      const show = proxy(
        (event: CompareEvent) => current === comparisons && dispatch({ kind: 'event', event }),
      );
      const answer = await answerTo(bench.compare(choice, resume, show));
      if (current !== comparisons) return;
      if (answer.ok) dispatch({ kind: 'report', report: answer.value });
      else if (answer.problem.code === 'aborted') dispatch({ kind: 'stopped' });
      else dispatch({ kind: 'failed', problem: answer.problem });
    },
    stop() {
      void bench.stop(['compare']);
    },
  };
}
