import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import os from 'node:os';
import { stopIfAborted } from '../base/abort.js';
import { sha256 } from '../base/sha256.js';
import { onFile } from '../files/file-error.js';
import { isPath, type RunnableModel } from '../providers/provider.js';

/** Returns the facts about this machine for reports; memory in bytes. */
export function host() {
  const cpus = os.cpus();
  return {
    os: `${os.type()} ${os.release()}`,
    arch: os.arch(),
    cpu: cpus[0]?.model.trim() ?? 'unknown',
    cores: cpus.length,
    memory: os.totalmem(),
    node: process.versions.node,
  };
}

/** Calculates the SHA-256 of a file, in hexadecimal. Throws `io`. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await onFile(path, async () => {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
  });
  return hash.digest('hex');
}

/** Calculates the SHA-256 of the digests of files, in hexadecimal. Throws `io`, `aborted`. */
export async function hashFiles(paths: readonly string[], signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for (const path of paths) {
    stopIfAborted(signal);
    hash.update(await hashFile(path));
  }
  return hash.digest('hex');
}

/** Calculates the SHA-256 of a model, a path or bytes, in hexadecimal. Throws `io`. */
export async function hashModel(model: RunnableModel): Promise<string> {
  return isPath(model) ? hashFile(model) : sha256(model);
}

/** Calculates the SHA-256 of bytes, in hexadecimal, without waiting. */
export function hashBytes(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
