import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import { usableThreads } from '../../providers/node/usable-threads.js';
import { sayNote } from '../text/say.js';

/** Number of jobs at the same time that every machine may have, and their number for each core. */
const MIN_MAX_JOBS = 8;
const MAX_JOBS_PER_CORE = 4;

/** Functions that limit the value of an option to what the machine can use. */
const LIMITS = {
  threads: usableThreads,
  jobs: (jobs: number) => Math.min(jobs, Math.max(MIN_MAX_JOBS, MAX_JOBS_PER_CORE * availableParallelism())),
} as const;

/** Limits --threads and --jobs of a command to what the machine can use, with a note: a thousand threads take hours. */
export function limitParallelism(command: Command): void {
  for (const [name, limit] of Object.entries(LIMITS)) {
    const asked: unknown = command.getOptionValue(name);
    if (typeof asked !== 'number') continue;
    const used = limit(asked);
    if (used === asked) continue;
    command.setOptionValueWithSource(name, used, command.getOptionValueSource(name));
    if (command.getOptionValue('quiet') !== true)
      sayNote(`--${name} ${asked} is more than this machine can use: ${used} ${name} start`);
  }
}
