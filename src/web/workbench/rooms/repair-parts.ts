import type { State } from '../page/state.js';
import type { RepairActions } from './repair-actions.js';
import type { RepairAction, RepairState } from './repair-state.js';

/** Properties of a section of the room Repair. */
export interface RepairParts {
  readonly repair: RepairState;
  readonly dispatch: (action: RepairAction) => void;
  readonly actions: RepairActions;
  /** The state of the page. */
  readonly page: State;
}
