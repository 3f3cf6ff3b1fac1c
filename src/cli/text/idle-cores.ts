import { plural } from './text.js';

/** Runs to do, and the cores for them. */
interface Work {
  /** Number of runs to do. */
  readonly runs: number;
  /** Number of cores of the machine. */
  readonly cores: number;
  /** Number of processes that the user chose. */
  readonly jobs?: number | undefined;
  /** Number of threads of each process. */
  readonly threads: number;
}

/** Returns a note where runs of one thread are too few for all cores, unless the user chose how many processes work. */
export function idleCores({ runs, cores, jobs, threads }: Work): string[] {
  const each = Math.floor(cores / runs);
  if (jobs !== undefined || threads > 1 || each < 2) return [];
  return [
    `${plural(runs, 'run')} of one thread ${runs === 1 ? 'leaves' : 'leave'} cores without work; --threads ${each} uses them, and rounds differently`,
  ];
}
