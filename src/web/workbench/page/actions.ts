// Actions of the page: asks the worker and stores its answers in the state.
import { createAsker } from './asker.js';
import { bench } from './bench.js';
import { type ModelActions, modelActions } from './model-actions.js';
import { type RunActions, runActions } from './run-actions.js';
import type { Action, State } from './state.js';

export interface Actions extends ModelActions, RunActions {
  /** Returns the current state, which may be newer than the one that is shown. */
  current(): State;
  /** Renders the report as HTML. */
  html(): Promise<string | undefined>;
}

/** Returns the actions. `state` returns the current state, which may be newer than the actions. */
export function actionsOn(state: () => State, dispatch: (action: Action) => void): Actions {
  const asker = createAsker(state, dispatch);
  return {
    current: state,
    ...modelActions(asker),
    ...runActions(asker),
    async html() {
      const report = state().run?.report;
      if (report === null || report === undefined) return undefined;
      dispatch({ kind: 'solved', place: 'export' });
      return asker.valueFrom('export', bench.html(report));
    },
  };
}
