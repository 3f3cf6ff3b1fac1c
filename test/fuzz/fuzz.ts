// Runs cases one after the other, each within bounds of time and memory, and finds the smallest that fails.
import { getHeapStatistics } from 'node:v8';
import fc from 'fast-check';
import { type Draft, drafts } from './cases.js';
import { Broken, type Case, runCase } from './check.js';
import { countOf, encode, type Part, parse, replaceAt } from './tree.js';

/** Milliseconds that a case may take, and those for each byte: thousands of times what is usual. */
export const TIME = { base: 100, perByte: 0.02 };
/** Bytes of memory that a case may take, and those for each byte of it. */
export const MEMORY = { base: 4 * 2 ** 20, perByte: 4_000 };

const memory = () => {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
};

/** Milliseconds by the clock, or those that this process worked, whichever are less: a machine may have other work. */
const stopwatch = () => {
  const [from, before] = [performance.now(), process.cpuUsage()];
  return () => {
    const { user, system } = process.cpuUsage(before);
    return Math.min(performance.now() - from, (user + system) / 1000);
  };
};

/**
 * Runs a case within its bounds. One that leaves them three times
 * leaves them. Memory is what was allocated and not collected meanwhile: all of it, for anything but a very large case.
 */
export async function bounded(test: Case): Promise<string> {
  const size = test.bytes.length;
  const [ms, bytes] = [TIME.base + TIME.perByte * size, MEMORY.base + MEMORY.perByte * size];
  for (let attempt = 1; ; attempt++) {
    const [elapsed, before] = [stopwatch(), memory()];
    const outcome = await runCase(test);
    const [took, grown] = [elapsed(), memory() - before];
    if (took <= ms && grown <= bytes) return outcome;
    if (attempt < 3) continue;
    throw new Broken(
      `${size} bytes took ${Math.round(took)} ms of ${Math.round(ms)} and ${grown} bytes of memory of ${bytes}`,
    );
  }
}

export interface Failure {
  readonly error: string;
  readonly first: Case;
  readonly smallest: Case;
}

export interface Batch {
  readonly seed: number;
  readonly cases: number;
  readonly make: (draft: Draft) => Case;
  /** Told before a case runs. */
  readonly onCase?: (test: Case) => void;
  /** Told what came of it. */
  readonly onOutcome?: (test: Case, outcome: string) => void;
}

/** Runs so many cases; stops at the first that fails, and makes it smaller. */
export async function runBatch({
  seed,
  cases,
  make,
  onCase,
  onOutcome,
}: Batch): Promise<Failure | undefined> {
  let failed: { draft: Draft; first: Case; error: string } | undefined;
  const property = fc.asyncProperty(drafts, async (draft) => {
    const first = make(draft);
    onCase?.(first);
    try {
      const outcome = await bounded(first);
      onOutcome?.(first, outcome);
    } catch (error) {
      failed ??= { draft, first, error: textOf(error) };
      throw error;
    }
  });
  await fc.check(property, { seed, numRuns: cases, endOnFailure: true });
  if (failed === undefined) return undefined;
  const { draft, first, error } = failed;
  const smallest = await minimise({ draft, make, error });
  return { error: (await failureOf(smallest)) || error, first, smallest };
}

const textOf = (error: unknown) => (error instanceof Error ? (error.stack ?? String(error)) : String(error));

/** How a case fails; '' for one that does not. */
export async function failureOf(test: Case): Promise<string> {
  return bounded(test).then(() => '', textOf);
}

/** What failures of one kind have in common: their first two lines, less the numbers. */
const kindOf = (failure: string) => failure.split('\n').slice(0, 2).join('\n').replace(/\d+/g, '#');

/** Takes away what is not needed for the case to fail in the same way: changes, then fields, then bytes. */
async function minimise({
  draft,
  make,
  error,
}: {
  draft: Draft;
  make: Batch['make'];
  error: string;
}): Promise<Case> {
  const wanted = kindOf(error);
  const until = performance.now() + 20_000;
  const stillFails = async (test: Case) =>
    performance.now() < until && kindOf(await failureOf(test)) === wanted;

  let least = draft;
  for (let at = draft.changes.length - 1; at >= 0; at--) {
    const fewer = { ...least, changes: least.changes.toSpliced(at, 1) };
    if (await stillFails(make(fewer))) least = fewer;
  }
  let best = make(least);
  if (best.target === 'model') {
    for (let at = 0; ; ) {
      const parts = parsed(best.bytes);
      if (parts === undefined || at >= countOf(parts)) break;
      const shorter: Case = { ...best, bytes: encode(replaceAt(parts, at, () => [])) };
      if (await stillFails(shorter)) best = shorter;
      else at++;
    }
  }
  for (let chunk = Math.ceil(best.bytes.length / 2); chunk >= 1; chunk = Math.floor(chunk / 2)) {
    for (let at = 0; at < best.bytes.length; ) {
      const bytes = Buffer.concat([best.bytes.subarray(0, at), best.bytes.subarray(at + chunk)]);
      const shorter: Case = { ...best, bytes: Uint8Array.from(bytes) };
      if (await stillFails(shorter)) best = shorter;
      else at += chunk;
    }
  }
  return best;
}

function parsed(bytes: Uint8Array): readonly Part[] | undefined {
  try {
    return parse(bytes);
  } catch {
    return undefined;
  }
}
