import { existsSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** File names of a configuration; the first that a folder has is taken. */
export const CONFIG_NAMES = ['ts', 'mts', 'cts', 'js', 'mjs', 'cjs', 'json'].map(
  (kind) => `onnx-mish.config.${kind}`,
);

/** The configuration in a folder. */
export function configIn(folder: string): string | undefined {
  return CONFIG_NAMES.map((name) => join(folder, name)).find((path) => existsSync(path));
}

/** Result of a search for a configuration. */
export interface ConfigSearch {
  readonly path?: string | undefined;
  /** One that was left where it is, with the reason in words. */
  readonly notTaken?: { readonly path: string; readonly why: string } | undefined;
}

/**
 * Looks for the configuration: in the current folder, which the user has chosen, and above it as far as the package or the
 * repository reaches. A configuration is run, so above the current folder the search stops where somebody else may put one.
 */
export function findConfig(): ConfigSearch {
  const start = resolve('.');
  let found = configIn(start);
  if (found !== undefined) return { path: found };
  for (let below = start; !has(below, 'package.json'); ) {
    if (has(below, '.git')) {
      const other = found === undefined ? above(below) : undefined;
      return other === undefined ? { path: found } : notTaken(other, 'it lies above the repository');
    }
    const folder = dirname(below);
    if (folder === below) return {}; // there is no package
    const path = configIn(folder);
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

/** The nearest configuration above a folder, as far as the package reaches. */
function above(folder: string): string | undefined {
  for (let below = folder; !has(below, 'package.json') && dirname(below) !== below; below = dirname(below)) {
    const path = configIn(dirname(below));
    if (path !== undefined) return path;
  }
  return undefined;
}

const notTaken = (path: string, why: string): ConfigSearch => ({ notTaken: { path, why } });

const has = (folder: string, name: string) => existsSync(join(folder, name));

/** May be written to by the group or by all; in a folder with the sticky bit, too, where anybody may add files. */
const OTHERS_WRITE = 0o022;

/** Why somebody else may have put something into a folder or file. Windows keeps no such record. */
function doubtOf(path: string): string | undefined {
  const user = process.getuid?.();
  if (user === undefined) return undefined;
  try {
    const { uid, mode } = statSync(path);
    const name = relative('', path);
    if (uid !== user && uid !== 0) return `'${name}' belongs to somebody else`;
    return (mode & OTHERS_WRITE) === 0 ? undefined : `others may write to '${name}'`;
  } catch {
    return `'${relative('', path)}' cannot be looked at`;
  }
}
