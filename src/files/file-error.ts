import type { StatsBase } from 'node:fs';
import { type ErrorDetails, OnnxMishError } from '../base/error.js';

const ELSEWHERE = { option: { output: null } };
const LEFT = { outcome: 'Nothing was left behind' };
const NO_SPACE = { ...ELSEWHERE, ...LEFT };

const MEANINGS: Record<string, readonly [what: string, fix: string, more?: Partial<ErrorDetails>]> = {
  ENOENT: ['the file does not exist', 'Check the path'],
  EACCES: ['permission denied', 'Check the permissions of the path'],
  EPERM: ['the operation is not permitted', 'Check the permissions of the path'],
  EISDIR: ['this is a folder', 'Name a file'],
  EEXIST: ['a file with this name exists already', 'Choose another path'],
  ENOTDIR: ['the path or a part of it is not a folder', 'Check the path'],
  ELOOP: ['the links in this path lead in a circle', 'Check the path'],
  ENAMETOOLONG: ['the name is too long', 'Choose a shorter name'],
  EROFS: ['the file system is read-only', 'Choose another path', ELSEWHERE],
  ENOSPC: ['the disk is full', 'Free some space or choose another path', NO_SPACE],
  EDQUOT: ['the disk quota is used up', 'Free some space or choose another path', NO_SPACE],
  EFBIG: ['the file is too large for the file system', 'Choose another path', ELSEWHERE],
  EIO: ['the disk reports an error', 'Check the disk', LEFT],
};

/** Returns whether an error means that the path does not exist. */
export function isAbsent(error: unknown): boolean {
  const cause = error instanceof OnnxMishError ? error.cause : error;
  const code = cause instanceof Error ? (cause as NodeJS.ErrnoException).code : undefined;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** Runs an operation on one path like `onFile`; returns undefined if the path does not exist. */
export async function unlessAbsent<T>(path: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await onFile(path, work);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** Returns the error for an empty path. */
export const emptyName = (cause?: Error) =>
  new OnnxMishError('io', 'the file name is empty', { fix: 'Name a file', cause });

/** Converts an error of the file system to an `OnnxMishError`; returns other errors unchanged. */
export function fileError(error: unknown, path: string): unknown {
  if (error instanceof OnnxMishError || !(error instanceof Error)) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EMFILE' || code === 'ENFILE') return tooManyOpen(error, path);
  if (code === undefined) return error;
  if (path === '') return emptyName(error);
  // Node reads bytes that are not UTF-8 as U+FFFD, also from a folder or a command line.
  if (code === 'ENOENT' && path.includes('\uFFFD'))
    return new OnnxMishError('io', 'the file does not exist, or its name is not valid UTF-8', {
      where: path,
      fix: 'Rename the file',
      cause: error,
    });
  const [what, fix, more] = MEANINGS[code] ?? [
    `the file system reports ${code}`,
    'Check the path and the disk',
  ];
  return new OnnxMishError('io', what, { where: path, fix, cause: error, ...more });
}

/** Returns the error for too few file descriptors of the process or the machine; undefined for other errors. */
export function tooManyOpen(error: unknown, path?: string): OnnxMishError | undefined {
  const text = error instanceof Error ? `${(error as NodeJS.ErrnoException).code} ${error.message}` : '';
  const isMachine = /\bENFILE\b/.test(text);
  if (!isMachine && !/\bEMFILE\b|too many open files/i.test(text)) return undefined;
  const limit = isMachine ? undefined : limitOfProcess();
  const most = limit === undefined ? '' : ` (its limit is ${limit})`;
  const what = isMachine
    ? 'this machine has too many files open'
    : `this process has too many files open${most}`;
  const fix = isMachine
    ? 'Close some programs, or raise the limit (sysctl fs.file-max)'
    : `Raise the limit, for example with \`ulimit -n ${Math.max(4096, 2 * (limit ?? 0))}\``;
  return new OnnxMishError('io', what, { where: path, fix, cause: error });
}

/** Returns the maximum number of open descriptors of this process. */
function limitOfProcess(): number | undefined {
  try {
    const report = process.report.getReport() as { userLimits?: { open_files?: { soft?: unknown } } };
    const soft = report.userLimits?.open_files?.soft;
    return typeof soft === 'number' ? soft : undefined;
  } catch {
    return undefined;
  }
}

/** Returns the error for a path that does not name a file. */
export function notAFile(there: Pick<StatsBase<unknown>, 'isDirectory'>, path: string): OnnxMishError {
  const what = there.isDirectory() ? 'this is a folder' : 'this is not a regular file';
  return new OnnxMishError('io', what, { where: path, fix: 'Name a file' });
}

/** Runs file operations on one path, and adds the path to their errors. */
export async function onFile<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fileError(error, path);
  }
}
