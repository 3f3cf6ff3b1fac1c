import { type Remote, wrap } from 'comlink';
import type { Workbench } from '../protocol.js';

/** The worker that holds the models. */
export const bench: Remote<Workbench> = wrap<Workbench>(
  new Worker(new URL('../engine/worker.ts', import.meta.url), { type: 'module' }),
);
