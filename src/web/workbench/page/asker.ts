import type { Problem, WorkerAnswer } from '../protocol.js';
import type { Action, ProblemPlace, State } from './state.js';

/** State of the page, and questions to the worker whose answers may come too late. */
export interface Asker {
  /** Returns the state at the time of the call; it may have changed since the actions were created. */
  readonly state: () => State;
  readonly dispatch: (action: Action) => void;
  /** Number of models opened so far; answers for an earlier model are dropped. */
  readonly model: number;
  /** Counts a model; answers for earlier models are dropped from now on. */
  countModel(): void;
  fail(place: ProblemPlace, problem: Problem): void;
  /** Returns the value; after a problem, shows the problem and returns undefined. */
  valueFrom<T>(place: ProblemPlace, asked: PromiseLike<WorkerAnswer<T>>): Promise<T | undefined>;
  /** Provider checks and histograms in progress; timing starts after them. */
  readonly before: Promise<unknown>;
  /** Adds work that timing waits for; a function is called after all earlier work. */
  waitFor(work: Promise<unknown> | (() => Promise<void>)): void;
}

/** Returns the answer of the worker; an error of the call becomes the problem `run-failed`. */
export function answerTo<T>(asked: PromiseLike<WorkerAnswer<T>>): Promise<WorkerAnswer<T>> {
  return Promise.resolve(asked).catch((error: unknown) => {
    return { ok: false, problem: { code: 'run-failed', what: String(error) } };
  });
}

/** Returns an asker for a page whose first model is still to be opened. */
export function createAsker(state: () => State, dispatch: (action: Action) => void): Asker {
  let model = 0;
  let before: Promise<unknown> = Promise.resolve();
  const fail = (place: ProblemPlace, problem: Problem) => dispatch({ kind: 'problem', place, problem });
  return {
    state,
    dispatch,
    get model() {
      return model;
    },
    countModel() {
      model += 1;
    },
    fail,
    async valueFrom<T>(place: ProblemPlace, asked: PromiseLike<WorkerAnswer<T>>): Promise<T | undefined> {
      const current = model;
      const answer = await answerTo(asked);
      if (current !== model) return undefined;
      if (answer.ok) return answer.value;
      if (answer.problem.code !== 'aborted') fail(place, answer.problem);
      return undefined;
    },
    get before() {
      return before;
    },
    waitFor(work) {
      before = typeof work === 'function' ? before.then(work) : Promise.all([before, work]);
    },
  };
}
