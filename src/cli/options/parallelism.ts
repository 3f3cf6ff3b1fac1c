import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import { usableThreads } from '../../providers/node/usable-threads.js';
import { sayNote } from '../text/say.js';

/** Maximum number of models at the same time; each takes a few megabytes, and 4 are as fast. */
const MAX_MODELS = 64;
/** Maximum number of processes for each core; each process takes about 200 MB. */
const MAX_PROCESSES_PER_CORE = 4;

/** Returns the value of an option that the machine can use. */
function usable(name: 'threads' | 'jobs', asked: number, command: string): number {
  if (name === 'threads') return usableThreads(asked);
  const most = command === 'experiment' ? MAX_PROCESSES_PER_CORE * availableParallelism() : MAX_MODELS;
  return Math.min(asked, most);
}

/** Limits --threads and --jobs of a command to what the machine can use, with a note: a thousand threads take hours. */
export function limitParallelism(command: Command): void {
  for (const name of ['threads', 'jobs'] as const) {
    const asked: unknown = command.getOptionValue(name);
    if (typeof asked !== 'number') continue;
    const used = usable(name, asked, command.name());
    if (used === asked) continue;
    command.setOptionValueWithSource(name, used, command.getOptionValueSource(name));
    if (command.getOptionValue('quiet') !== true)
      sayNote(`--${name} ${asked} is more than this machine can use: ${used} ${name} start`);
  }
}
