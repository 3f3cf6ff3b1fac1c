// Actions of the page: asks the worker and stores its answers in the state.

import type { NamedFile, Problem } from '../protocol.js';
import { createAsker } from './asker.js';
import { bench } from './bench.js';
import { type ModelActions, modelActions } from './model-actions.js';
import { type RunActions, runActions } from './run-actions.js';
import { sortFiles } from './sort-files.js';
import type { Action, State } from './state.js';

export interface Actions extends ModelActions, RunActions {
  /** Returns the current state, which may be newer than the one that is shown. */
  current(): State;
  /** Takes a model, samples, or both. Returns what is wrong with files that do not belong together. */
  take(files: readonly NamedFile[]): Promise<Problem | undefined>;
  /** Renders the report as HTML. */
  html(): Promise<string | undefined>;
}

/** Returns the actions. `state` returns the state at the time of its call. */
export function actionsOn(state: () => State, dispatch: (action: Action) => void): Actions {
  const asker = createAsker(state, dispatch);
  const models = modelActions(asker);
  const runs = runActions(asker);
  return {
    current: state,
    ...models,
    ...runs,
    async take(files) {
      dispatch({ kind: 'solved', place: 'open' }); // the problem of earlier files
      const sorted = sortFiles(files, state().model?.missing);
      if ('problem' in sorted) return sorted.problem;
      const { model, train, test, images } = sorted;
      if (test !== undefined) {
        const what = `${train?.name} and ${test.name} came together, and models run on one of them`;
        return { code: 'bad-usage', what, fix: 'Give one .npz' };
      }
      // At once, so that the samples that come last count, however long a model takes.
      if (train !== undefined) dispatch({ kind: 'feed', change: { kind: 'npz' } });
      const reading = train === undefined ? undefined : runs.giveArrays(train);
      if (images.length > 0) dispatch({ kind: 'feed', change: { kind: 'images', images } });
      if (model.length > 0) await models.give(model);
      await reading;
      return undefined;
    },
    async html() {
      const report = state().run?.report;
      if (report === null || report === undefined) return undefined;
      dispatch({ kind: 'solved', place: 'export' });
      return asker.valueFrom('export', bench.html(report));
    },
  };
}
