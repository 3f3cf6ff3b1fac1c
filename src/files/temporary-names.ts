import { randomBytes } from 'node:crypto';
import { lstat, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isAlive, machine } from './processes.js';

// A process cannot clean up after SIGKILL, so the next process in the same folder does. A temporary's name identifies
// its process, so that files still being written are never removed.

/** Maximum characters of the target's name in a temporary's name, short enough for every file system and script. */
const MAX_NAME_CHARACTERS = 64;
const NAME = /\.([0-9a-f]{8})-(\d+)-[0-9a-f]{12}\.onnx-mish\.tmp$/;
/**
 * Milliseconds (a week) after which a temporary from another machine is removed, because its process cannot be
 * checked.
 */
const MAX_FOREIGN_AGE_MS = 7 * 24 * 60 * 60 * 1000;

/**
 * Returns a new name in the folder of `path`: `tmp` for files that can be written again, `old` for the replaced file,
 * which `removeStaleTemporaries` never removes.
 */
export function temporaryBeside(path: string, kind: 'tmp' | 'old' = 'tmp'): string {
  const owner = `${machine()}-${process.pid}-${randomBytes(6).toString('hex')}`;
  return join(dirname(path), `.${basename(path).slice(0, MAX_NAME_CHARACTERS)}.${owner}.onnx-mish.${kind}`);
}

/** Returns the prefix of a temporary folder's name: its purpose and its process. */
export function folderPrefix(purpose: string): string {
  return `onnx-mish-${purpose}-${machine()}-${process.pid}-`;
}

const FOLDER = /^onnx-mish-[a-z]+-([0-9a-f]{8})-(\d+)-\w{6}$/;

/** Removes the temporary folders of this user whose processes have ended, as far as possible. */
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
 * Removes the temporaries in a folder whose processes have ended, as far as possible. Temporaries of running
 * processes stay. Those of other machines and containers, whose processes cannot be checked, stay for a week.
 */
export async function removeStaleTemporaries(folder: string): Promise<void> {
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

async function isForgotten(path: string): Promise<boolean> {
  const there = await lstat(path).catch(() => undefined);
  return there !== undefined && Date.now() - there.mtimeMs > MAX_FOREIGN_AGE_MS;
}
