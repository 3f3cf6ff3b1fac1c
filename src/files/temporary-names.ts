import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { lstat, readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';

// No process can clean up after its own SIGKILL, and the next one in the same folder does it. So that it never takes
// away what somebody is still writing, the name of a temporary says whose it is.

/** What a temporary's name takes over of its target's: short enough for any file system in any script. */
const NAME_PART = 64;
const NAME = /\.([0-9a-f]{8})-(\d+)-[0-9a-f]{12}\.onnx-mish\.tmp$/;
/** After this long a temporary from elsewhere, of whose process nothing can be known, is nobody's: a week. */
const FORGOTTEN_MS = 7 * 24 * 60 * 60 * 1000;

/** A new name in the folder of `path`: for what can be made again (`tmp`), or for a file's old self, which is never swept. */
export function temporaryBeside(path: string, kind: 'tmp' | 'old' = 'tmp'): string {
  const owner = `${machine()}-${process.pid}-${randomBytes(6).toString('hex')}`;
  return join(dirname(path), `.${basename(path).slice(0, NAME_PART)}.${owner}.onnx-mish.${kind}`);
}

/**
 * Removes the temporaries in a folder whose processes are gone, as far as it can. Those of living processes stay, and for
 * a week those of other machines and containers, whose processes cannot be seen from here.
 */
export async function sweep(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const [, owner, pid] = NAME.exec(name) ?? [];
    if (pid === undefined) continue;
    const path = join(folder, name);
    const stale = owner === machine() ? !isAlive(Number(pid)) : await isForgotten(path);
    if (stale) await rm(path, { force: true }).catch(() => {});
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'; // somebody else's is alive as well
  }
}

async function isForgotten(path: string): Promise<boolean> {
  const there = await lstat(path).catch(() => undefined);
  return there !== undefined && Date.now() - there.mtimeMs > FORGOTTEN_MS;
}

let known: string | undefined;

/** Where a process number means a process: this machine since it started, and on Linux this container. */
function machine(): string {
  known ??= createHash('sha256')
    .update([hostname(), bootId(), pidNamespace()].join('\n'))
    .digest('hex')
    .slice(0, 8);
  return known;
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
