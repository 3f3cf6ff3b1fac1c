import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { onTestFinished } from 'vitest';

/** A folder of its own for one test, removed at the test's end. */
export interface Folder {
  readonly path: string;
  /** The path of something in it. */
  at(...names: string[]): string;
  /** Writes a file and gives its path. */
  write(name: string, content: Uint8Array | string): Promise<string>;
  read(name: string): Promise<Uint8Array>;
  /** Everything in it, hidden files too, sorted; folders end with a slash. */
  list(): Promise<string[]>;
}

/** A new folder, in the system's own for temporary files unless told. */
export async function tempFolder(parent = tmpdir()): Promise<Folder> {
  const path = await mkdtemp(join(parent, 'onnx-mish-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return folderAt(path);
}

/** The same view of a folder that is there already. */
export function folderAt(path: string): Folder {
  const at = (...names: string[]) => join(path, ...names);
  return {
    path,
    at,
    async write(name, content) {
      await writeFile(at(name), content);
      return at(name);
    },
    async read(name) {
      return new Uint8Array(await readFile(at(name)));
    },
    async list() {
      const entries = await readdir(path, { recursive: true, withFileTypes: true });
      return entries
        .map(
          (entry) =>
            join(entry.parentPath, entry.name)
              .slice(path.length + 1)
              .replaceAll(sep, '/') + (entry.isDirectory() ? '/' : ''),
        )
        .sort();
    },
  };
}
