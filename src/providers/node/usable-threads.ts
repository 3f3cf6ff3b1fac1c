import { availableParallelism } from 'node:os';

/** Returns the number of threads to start: the given number, at most one for each core. More only wait for each other. */
export function usableThreads(threads: number): number {
  return Math.min(threads, availableParallelism());
}
