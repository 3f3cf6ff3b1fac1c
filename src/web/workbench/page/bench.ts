import { type Remote, wrap } from 'comlink';
import type { Workbench } from '../protocol.js';
import type { RepairBench } from '../repair-protocol.js';
import type { TrainingBench } from '../room-protocol.js';

/** The worker that holds the models. */
export const bench: Remote<Workbench & TrainingBench & RepairBench> = wrap(
  new Worker(new URL('../engine/worker.ts', import.meta.url), { type: 'module' }),
);
