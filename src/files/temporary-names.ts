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

/** What a temporary folder's name begins with: what it is for, and whose it is. */
export function folderPrefix(purpose: string): string {
  return `onnx-mish-${purpose}-${machine()}-${process.pid}-`;
}

const FOLDER = /^onnx-mish-[a-z]+-([0-9a-f]{8})-(\d+)-\w{6}$/;

/** Removes the temporary folders of this user whose processes are gone, as far as it can, as `sweep` does files. */
export async function sweepFolders(place: string): Promise<void> {
  for (const name of await readdir(place).catch(() => [])) {
    const [, owner, pid] = FOLDER.exec(name) ?? [];
    const path = join(place, name);
    if (pid === undefined || !(await isStale(path, owner, pid))) continue;
    const there = await lstat(path).catch(() => undefined);
    const isOurs = there?.isDirectory() && (process.getuid === undefined || there.uid === process.getuid());
    if (isOurs) await rm(path, { recursive: true, force: true }).catch(() => {});
  }
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
    if (await isStale(path, owner, pid)) await rm(path, { force: true }).catch(() => {});
  }
}

async function isStale(path: string, owner: string | undefined, pid: string): Promise<boolean> {
  return owner === machine() ? !isAlive(Number(pid)) : isForgotten(path);
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
