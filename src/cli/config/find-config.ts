import { existsSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** File names of a configuration, the preferred name first. */
export const CONFIG_NAMES = ['ts', 'mts', 'cts', 'js', 'mjs', 'cjs', 'json'].map(
  (kind) => `onnx-mish.config.${kind}`,
);

/** Returns the paths of the configurations in a folder, the preferred one first. */
export function configsIn(folder: string): string[] {
  return CONFIG_NAMES.map((name) => join(folder, name)).filter((path) => existsSync(path));
}

/** Result of a search for a configuration. */
export interface ConfigSearch {
  readonly path?: string | undefined;
  /** A configuration that is not used, and the reason. */
  readonly notTaken?: { readonly path: string; readonly why: string } | undefined;
}

/**
 * Finds the configuration in the current folder, or above it up to the folder of the package or the repository. A
 * configuration is run as code: above the current folder, the search stops where another user could put a file.
 */
export function findConfig(): ConfigSearch {
  const start = resolve('.');
  let [found] = configsIn(start);
  if (found !== undefined) return { path: found };
  for (let below = start; !has(below, 'package.json'); ) {
    if (has(below, '.git')) {
      const other = found === undefined ? above(below) : undefined;
      return other === undefined ? { path: found } : notTaken(other, 'it lies above the repository');
    }
    const folder = dirname(below);
    if (folder === below) return {}; // there is no package
    const [path] = configsIn(folder);
    const why = doubtOf(folder) ?? (path === undefined ? undefined : doubtOf(path));
    if (why !== undefined) {
      const other = path ?? above(folder);
      return other === undefined ? {} : notTaken(other, why);
    }
    found ??= path;
    below = folder;
  }
  return { path: found };
}

/** Returns the nearest configuration above a folder, up to the folder of the package. */
function above(folder: string): string | undefined {
  for (let below = folder; !has(below, 'package.json') && dirname(below) !== below; below = dirname(below)) {
    const [path] = configsIn(dirname(below));
    if (path !== undefined) return path;
  }
  return undefined;
}

const notTaken = (path: string, why: string): ConfigSearch => ({ notTaken: { path, why } });

const has = (folder: string, name: string) => existsSync(join(folder, name));

/** Mode bits for writing by group or others. Folders with the sticky bit count, too: anybody may add files. */
const OTHERS_WRITE = 0o022;

/** Returns why another user may have changed a file or folder; undefined if none could, and on Windows. */
export function doubtOf(path: string): string | undefined {
  const user = process.getuid?.();
  if (user === undefined) return undefined;
  try {
    const { uid, mode } = statSync(path);
    const name = relative('', path);
    if (uid !== user && uid !== 0) return `'${name}' belongs to another user`;
    return (mode & OTHERS_WRITE) === 0 ? undefined : `other users may write to '${name}'`;
  } catch {
    return `'${relative('', path)}' cannot be inspected`;
  }
}
