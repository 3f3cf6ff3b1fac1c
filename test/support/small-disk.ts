import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { onTestFinished } from 'vitest';
import { type Folder, folderAt } from './folder.js';

/** A file system of its own. */
export interface SmallDisk extends Folder {
  /** Fills it up but for so many blocks. */
  leave(blocks: number): Promise<void>;
  readonly blockSize: number;
}

export const NO_MOUNT = 'no file system can be mounted here';

/** Mounts a small file system in memory until the test's end; undefined where that is not allowed. */
export async function smallDisk(folder: Folder, options: string): Promise<SmallDisk | undefined> {
  const path = folder.at('disk');
  await mkdir(path);
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path]);
  if (status !== 0) return undefined;
  onTestFinished(() => void execFileSync('umount', ['--lazy', path]));
  const disk = folderAt(path);
  const { bsize } = await statfs(path);
  return {
    ...disk,
    blockSize: bsize,
    async leave(blocks) {
      await rm(disk.at('ballast'), { force: true });
      const { bavail } = await statfs(path);
      await writeFile(disk.at('ballast'), new Uint8Array(Math.max(0, bavail - blocks) * bsize));
    },
  };
}
