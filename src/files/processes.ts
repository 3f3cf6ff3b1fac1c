// Identities of processes that are noted in files, and whether these processes still run.
import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Returns whether a process of this machine runs. */
export function isAlive(pid: number): boolean {
  if (pid !== (pid | 0)) return false; // no process has such a number
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'; // another user's process is alive, too
  }
}

/** Number of the field of /proc/PID/stat with the start of the process, counted from the one behind its name. */
const START_FIELD = 19;

/**
 * Returns the start of a process, in clock ticks since the start of the machine; undefined where the system does not tell it. A
 * number of a process that has ended can be another one's: soon in a container that starts again, where numbers begin at 1.
 */
export function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[START_FIELD];
  } catch {
    return undefined; // not Linux, or no such process
  }
}

let machineId: string | undefined;

/**
 * Identifies the scope in which a process number is unique at a time: this machine since its start, and on Linux this
 * container.
 */
export function machine(): string {
  machineId ??= createHash('sha256')
    .update([hostname(), bootId(), pidNamespace()].join('\n'))
    .digest('hex')
    .slice(0, 8);
  return machineId;
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8');
  } catch {
    return ''; // not Linux
  }
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}
