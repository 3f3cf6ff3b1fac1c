// Actions of the room Repair: asks the worker and stores its answers in the state.
import { proxy } from 'comlink';
import type { Actions } from '../page/actions.js';
import { answerTo } from '../page/asker.js';
import { bench } from '../page/bench.js';
import type { Action } from '../page/state.js';
import type { NamedFile, WorkerAnswer } from '../protocol.js';
import type { RankEvent, RepairChoice } from '../repair-protocol.js';
import { repairChoice } from './repair-choice.js';
import type { RepairAction, RepairState, RepairWork } from './repair-state.js';

export interface RepairActions {
  /** Takes a model, samples, or both. */
  give(files: readonly NamedFile[]): Promise<void>;
  calibrate(): Promise<void>;
  /** Ranks the sites; `resume` goes on after a stop. */
  rank(resume?: boolean): Promise<void>;
  stop(): void;
  /** Renders the report of the last repair, or the last ranking, as HTML. */
  html(work: RepairWork): Promise<string | undefined>;
}

/** Returns the actions. `state` returns the current state, which may be newer than the one that is shown. */
export function repairActions(
  state: () => RepairState,
  dispatch: (action: RepairAction) => void,
  page: Actions,
  dispatchPage: (action: Action) => void,
): RepairActions {
  /** Number of works so far; events and answers of earlier ones are dropped. */
  let works = 0;

  /** Does a work, and returns its result; undefined if it failed, was stopped, or is not the last. */
  async function does<T>(
    work: RepairWork,
    resume: boolean,
    ask: (choice: RepairChoice, onEvent: (event: RankEvent) => unknown) => PromiseLike<WorkerAnswer<T>>,
  ): Promise<T | undefined> {
    const choice = repairChoice(state(), page.current());
    if (choice === undefined) return undefined;
    const current = ++works;
    const { feed } = page.current();
    const show = (event: RankEvent) =>
      event.kind === 'doubt' ? dispatchPage({ ...event, feed }) : dispatch({ kind: 'event', event });
    dispatch({ kind: 'start', work, model: page.current().files?.model, choice, resume });
    const answer = await answerTo(ask(choice, (event) => current === works && show(event)));
    if (current !== works) return undefined;
    if (answer.ok) return answer.value;
    const stopped = answer.problem.code === 'aborted';
    if (!stopped) dispatch({ kind: 'problem', place: work, problem: answer.problem });
    dispatch({ kind: 'end', ended: stopped ? 'stopped' : 'failed' });
    return undefined;
  }

  return {
    async give(files) {
      dispatch({ kind: 'solved', place: 'samples' });
      const problem = await page.take(files);
      if (problem !== undefined) dispatch({ kind: 'problem', place: 'samples', problem });
    },
    async calibrate() {
      const result = await does('calibrate', false, (choice, onEvent) =>
        bench.calibrate(choice, proxy(onEvent)),
      );
      if (result !== undefined) dispatch({ kind: 'repaired', result });
    },
    async rank(resume = false) {
      const before = resume ? (state().ranked?.ranking ?? null) : null;
      const ranking = await does('rank', resume, (choice, onEvent) =>
        bench.rank(choice, before, proxy(onEvent)),
      );
      if (ranking !== undefined) dispatch({ kind: 'ranked', ranking });
    },
    stop() {
      void bench.stop(['repair']);
    },
    async html(work) {
      const { repaired, ranked } = state();
      const name = page.current().model?.name ?? '';
      dispatch({ kind: 'solved', place: 'export' });
      const asked =
        work === 'calibrate'
          ? repaired && bench.calibrationHtml(repaired.result.report, name)
          : ranked && bench.rankingHtml(ranked.ranking);
      if (asked === null) return undefined;
      const answer = await answerTo(asked);
      if (answer.ok) return answer.value;
      dispatch({ kind: 'problem', place: 'export', problem: answer.problem });
    },
  };
}
