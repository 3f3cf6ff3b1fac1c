import type { FinetuneActions } from './finetune-actions.js';
import type { FinetuneAction, FinetuneState } from './finetune-state.js';

/** Properties of a section of the room Fine-tune. */
export interface FinetuneParts {
  readonly finetune: FinetuneState;
  readonly dispatch: (action: FinetuneAction) => void;
  readonly actions: FinetuneActions;
}
