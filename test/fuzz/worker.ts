// One thread of `npm run fuzz`: runs batches until it is told to end, and says what it is at in shared memory, so that a
// case that never ends, or that takes all memory, can be told as well.
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { caseMaker } from './cases.js';
import type { Case } from './check.js';
import { failureOf, runBatch } from './fuzz.js';
import { loadSeeds } from './seeds.js';

/** What `run.js` hands over: the root of the repository, where batches begin, how many cases each has. */
export interface Order {
  readonly root: string;
  readonly seed: number;
  readonly batch: number;
  /** Numbers of batches, taken in turns by all workers, and how many there are. */
  readonly next: SharedArrayBuffer;
  readonly batches: number;
  readonly state: SharedArrayBuffer;
  /** A case to run once more, and nothing else. */
  readonly again?: Case;
}

const { root, seed, batch, next, batches, state, again } = workerData as Order;
const turn = new Int32Array(next);
// The number of the case, the length of what follows, and the case.
const head = new Int32Array(state, 0, 2);
const body = new Uint8Array(state, 8);

const encoder = new TextEncoder();

function note(test: Case): void {
  const { bytes, ...rest } = test;
  const about = encoder.encode(`${JSON.stringify(rest)}\n`);
  const kept = bytes.subarray(0, body.length - about.length);
  body.set(about);
  body.set(kept, about.length);
  Atomics.store(head, 1, about.length + kept.length);
  Atomics.add(head, 0, 1);
}

if (again !== undefined) {
  const error = await failureOf(again);
  parentPort?.postMessage({ error });
  process.exit();
}

const make = caseMaker(await loadSeeds(join(root, 'models')), join(root, 'test/fuzz/report.json'));
parentPort?.postMessage({ ready: true });
for (let number = Atomics.add(turn, 0, 1); number < batches; number = Atomics.add(turn, 0, 1)) {
  const outcomes: Record<string, number> = {};
  const onOutcome = ({ target }: Case, outcome: string) => {
    const key = `${target} ${outcome}`;
    outcomes[key] = (outcomes[key] ?? 0) + 1;
  };
  const failure = await runBatch({
    seed: (seed + number * 7919) | 0,
    cases: batch,
    make,
    onCase: note,
    onOutcome,
  });
  const cases = Object.values(outcomes).reduce((sum, count) => sum + count, 0);
  parentPort?.postMessage({ number, cases, outcomes, failure });
}
