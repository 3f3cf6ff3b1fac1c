// Packages that only some commands need, and that users install themselves: peerDependencies of package.json.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { messageOf, OnnxMishError } from '../../base/error.js';
import { inWords } from '../../base/in-words.js';
import { installLine } from './package-manager.js';

/** Versions to install, by the package: the newest that package.json allows, in characters that no shell changes. */
const VERSIONS = {
  'onnxruntime-node': '~1.30.0',
  'onnxruntime-web': '~1.30.0',
  'playwright-core': '1',
  sharp: '0.35',
} as const;

/** Name of an optional package. */
export type Peer = keyof typeof VERSIONS;

export const PEERS = Object.keys(VERSIONS) as Peer[];

/** Packages that run a model in a page on this machine. */
export const PAGE_PEERS: readonly Peer[] = ['onnxruntime-web', 'playwright-core'];

/** Returns a folder whose node_modules is searched as well; undefined for none. */
type FindProject = () => string | undefined;

let findProject: FindProject = () => undefined;

/**
 * Sets the search for the project's folder, whose packages are used as well. A command that npx started or that is
 * installed globally does not see the packages of the project in whose folder it runs.
 */
export function searchProject(find: FindProject): void {
  findProject = find;
}

/**
 * Imports a package; `load` is its import, so that bundlers see it. Returns undefined if the package is not installed.
 */
export async function importIfInstalled<T extends object>(
  name: string,
  load: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await load();
  } catch (error) {
    if (!isMissing(error, name)) throw error;
    const require = requireOfProject(name);
    if (require === undefined) return undefined;
    const found = require(name) as T;
    return { default: found, ...found };
  }
}

/**
 * Imports an optional package. Throws `missing-package` if the package is not installed, and the package's error if it
 * does not load.
 */
export async function importPeer<T extends object>(name: Peer, load: () => Promise<T>): Promise<T> {
  const module = await importIfInstalled(name, load);
  if (module === undefined) throw missingPackages([name]);
  return module;
}

/** Returns the path of a module of a package; undefined if the package is not installed. */
export function resolveIfInstalled(name: string, module = name): string | undefined {
  try {
    return createRequire(import.meta.url).resolve(module);
  } catch (error) {
    if (!isMissing(error, name)) throw error;
    return requireOfProject(name)?.resolve(module);
  }
}

/** Returns whether an optional package is installed. */
export const isInstalled = (name: Peer): boolean => resolveIfInstalled(name) !== undefined;

/** Returns whether the folder of a package is there. Node remembers which packages it did not find, and keeps to that. */
export function isUnpacked(name: Peer): boolean {
  const project = findProject();
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? [];
  if (project !== undefined) folders.push(join(project, 'node_modules'));
  return folders.some((folder) => existsSync(join(folder, name)));
}

/** Returns the path of a module of an optional package. Throws `missing-package` if the package is not installed. */
export function resolvePeer(name: Peer, module: string = name): string {
  const path = resolveIfInstalled(name, module);
  if (path === undefined) throw missingPackages([name]);
  return path;
}

/** Throws `missing-package` with all of these packages that are not installed. */
export function requirePeers(...names: readonly Peer[]): void {
  const missing = names.filter((name) => !isInstalled(name));
  if (missing.length > 0) throw missingPackages(missing);
}

/** Creates the error about optional packages that are not installed. */
function missingPackages(names: readonly Peer[]): OnnxMishError {
  const what = names.length === 1 ? `the package ${names[0]} is` : `the packages ${inWords(names)} are`;
  return new OnnxMishError('missing-package', `${what} not installed`, {
    fix: `Run \`${installLine(specs(names))}\``,
    option: { install: null },
  });
}

/** Returns the names of packages with the versions to install. */
export const specs = (names: readonly Peer[]): string[] => names.map((name) => `${name}@${VERSIONS[name]}`);

/** Returns whether an error says that this package was not found, and not a package that it depends on. */
function isMissing(error: unknown, name: string): boolean {
  const code = (error as { code?: unknown } | undefined)?.code;
  if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') return false;
  // Such as "Cannot find package 'a' imported from /b/node_modules/c/d.js": a path is not a package's name.
  const [words = ''] = messageOf(error).split(/\n| imported from /);
  return words.split(/[\s'"]+/).some((word) => word === name || word.startsWith(`${name}/`));
}

/** Returns the `require` of the project, if the project has the package. */
function requireOfProject(name: string): NodeJS.Require | undefined {
  const project = findProject();
  if (project === undefined || !existsSync(join(project, 'node_modules', name))) return undefined;
  return createRequire(join(project, 'package.json'));
}
