// Real files whose calls can be made to fail: what the operating system would answer on a bad day, at the call that is chosen.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join, resolve, sep } from 'node:path';

/** What a call answers instead: an error, or that it did only a part of what it was asked for. */
export type Fault = 'EPERM' | 'ENOSPC' | 'EIO' | 'EROFS' | 'EACCES' | 'EMFILE' | 'short' | 'nothing';

export const ERRORS = ['ENOSPC', 'EIO', 'EROFS', 'EACCES', 'EMFILE'] as const satisfies readonly Fault[];

/** One call into the file system. */
export interface Call {
  readonly kind: string;
  readonly path: string;
}

/** Which fault the call with this number gets; undefined lets it through. */
export type Trip = (call: Call, index: number) => Fault | undefined;

/** Calls on paths. Those that take two are known by the first, but for `copyFile`, which writes the second. */
const BY_PATH = [
  ...['open', 'stat', 'lstat', 'realpath', 'readdir', 'readFile', 'writeFile', 'mkdir', 'rmdir', 'rm'],
  ...['rename', 'link', 'unlink', 'copyFile', 'mkdtemp'],
] as const;
/** Calls on an open file. */
const BY_HANDLE = ['read', 'write', 'writev', 'writeFile', 'sync', 'datasync', 'stat'] as const;

type Handle = fs.promises.FileHandle;
type Method = (...args: unknown[]) => Promise<unknown>;

/**
 * Runs `work` with every call on what is under `folder` numbered and, where `trip` says so, failing. Gives the calls. With
 * `clones`, clones of files are made by copying, for file systems that have none.
 */
export async function withFaults(
  folder: string,
  trip: Trip,
  work: () => Promise<unknown>,
  { clones = false } = {},
): Promise<Call[]> {
  const calls: Call[] = [];
  const paths = new WeakMap<object, string>();
  const undo: (() => void)[] = [];
  const next = (kind: string, path: string) => {
    calls.push({ kind, path });
    return trip({ kind, path }, calls.length - 1);
  };

  const follow = (handle: Handle, path: string) => {
    paths.set(handle, path);
    const { close } = handle; // each has its own
    handle.close = async () => {
      await close.call(handle); // the system lets go of a file also where it complains
      const fault = next('handle.close', path);
      if (fault !== undefined) throw failed(fault, 'close', path);
    };
  };

  const functions = fs.promises as unknown as Record<string, Method>;
  for (const name of BY_PATH) {
    const real = functions[name];
    if (real === undefined) continue;
    functions[name] = async (...args) => {
      const path = resolve(String(args[name === 'copyFile' ? 1 : 0]));
      const inside = `${path}${sep}`.startsWith(join(folder, sep));
      const fault = inside ? next(name, path) : undefined;
      if (fault !== undefined) throw failed(fault, name, path);
      const plain = name === 'copyFile' && clones ? [...args.slice(0, 2), fs.constants.COPYFILE_EXCL] : args;
      const result = await real.apply(fs.promises, plain);
      if (name === 'open' && inside) follow(result as Handle, path);
      return result;
    };
    undo.push(() => {
      functions[name] = real;
    });
  }

  const synchronous = fs as unknown as Record<string, (...args: unknown[]) => unknown>;
  for (const name of ['link', 'rename', 'lstat']) {
    const real = synchronous[`${name}Sync`];
    if (real === undefined) continue;
    synchronous[`${name}Sync`] = (...args) => {
      const path = resolve(String(args[0]));
      const fault = `${path}${sep}`.startsWith(join(folder, sep)) ? next(name, path) : undefined;
      if (fault !== undefined) throw failed(fault, name, path);
      return real.apply(fs, args);
    };
    undo.push(() => {
      synchronous[`${name}Sync`] = real;
    });
  }

  const prototype = await handlePrototype();
  for (const name of BY_HANDLE) {
    const real = prototype[name];
    if (real === undefined) continue;
    prototype[name] = async function (this: Handle, ...args) {
      const path = paths.get(this);
      const fault = path === undefined ? undefined : next(`handle.${name}`, path);
      if (fault === undefined || path === undefined) return real.apply(this, args);
      if (fault === 'nothing') return { bytesRead: 0, bytesWritten: 0 };
      if (fault === 'short') return real.apply(this, half(name, args));
      throw failed(fault, name, path);
    };
    undo.push(() => {
      prototype[name] = real;
    });
  }

  syncBuiltinESMExports();
  try {
    await work();
  } finally {
    for (const restore of undo) restore();
    syncBuiltinESMExports();
  }
  return calls;
}

/** Kinds of calls that can do a part of what they are asked for. */
export const PARTIAL: ReadonlySet<string> = new Set(['handle.read', 'handle.write', 'handle.writev']);

/** The arguments of a read or write that asks for half as much. */
function half(name: string, args: unknown[]): unknown[] {
  if (name === 'writev') {
    const [buffers, ...rest] = args as [Uint8Array[], ...unknown[]];
    const most = Math.ceil(buffers.reduce((sum, bytes) => sum + bytes.length, 0) / 2);
    let taken = 0;
    const parts = buffers.map((bytes) => {
      const part = bytes.subarray(0, Math.max(0, most - taken));
      taken += bytes.length;
      return part;
    });
    return [parts.filter((part) => part.length > 0), ...rest];
  }
  const [buffer, offset, length, ...rest] = args as [Uint8Array, number, number, ...unknown[]];
  return [buffer, offset, Math.ceil(length / 2), ...rest];
}

function failed(code: Fault, call: string, path: string): Error {
  return Object.assign(new Error(`${code}: made up, ${call} '${path}'`), { code, syscall: call, path });
}

async function handlePrototype(): Promise<Record<string, Method>> {
  const handle = await fs.promises.open(process.execPath);
  await handle.close();
  return Object.getPrototypeOf(handle);
}
