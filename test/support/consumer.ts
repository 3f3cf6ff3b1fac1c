import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'vite';
import { type Folder, folderAt } from './folder.js';
import { packPackage, unpack } from './packed.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));

/** A project that has installed the package. */
export interface Consumer {
  readonly folder: Folder;
  /** The packed package, and where it is unpacked. */
  readonly tarball: string;
  readonly installed: string;
  /** What the tarball holds, sorted. */
  readonly files: readonly string[];
  /** The exports of the package, by their name, with the file behind each. */
  readonly exports: ReadonlyMap<string, string>;
  /** Runs a program of Node's in the project's folder; what it prints. Rejects with all of that when it fails. */
  node(...args: string[]): Promise<string>;
  remove(): Promise<void>;
}

/**
 * A project in a temporary folder with what `npm pack` gives, installed without a network: the tarball is unpacked into its
 * node_modules, and beside it are links to all other packages of this repository, as `npm install` would put copies there, but
 * for those of `without`.
 */
export async function installPackage({
  without = [],
}: {
  without?: readonly string[];
} = {}): Promise<Consumer> {
  const path = await mkdtemp(join(tmpdir(), 'onnx-mish-consumer-'));
  const folder = folderAt(path);
  const remove = () => rm(path, { recursive: true, force: true });
  try {
    const modules = folder.at('node_modules');
    const installed = join(modules, 'onnx-mish');
    await mkdir(installed, { recursive: true });
    const { tarball, files } = await packPackage();
    await unpack(tarball, installed);
    for (const name of await readdir(join(root, 'node_modules'))) {
      if (name.startsWith('.') || name === 'onnx-mish' || without.includes(name)) continue;
      await symlink(join(root, 'node_modules', name), join(modules, name), 'junction');
    }
    await writeFile(folder.at('package.json'), '{ "name": "consumer", "private": true, "type": "module" }');
    const manifest = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'));
    const entries = Object.entries<string | { default?: string; types: string }>(manifest.exports);
    return {
      folder,
      tarball,
      installed,
      files,
      exports: new Map(
        entries.map(([name, to]) => [name, typeof to === 'string' ? to : (to.default ?? to.types)]),
      ),
      async node(...args) {
        const env = { ...process.env, FORCE_COLOR: '0', NO_COLOR: '1' };
        const { stdout } = await run(process.execPath, args, { cwd: path, env }).catch((error) => {
          throw new Error(`${args.join(' ')} failed: ${error.stdout}\n${error.stderr}`);
        });
        return stdout;
      },
      remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** What of the package can be imported, by its name. */
export function modulesOf({ exports }: Consumer): string[] {
  return [...exports].flatMap(([name, to]) => (to.endsWith('.js') ? `onnx-mish${name.slice(1)}` : []));
}

/** Builds the project's index.html with Vite, as `vite build` does; the folder with the result. */
export async function buildPage({ folder }: Consumer): Promise<string> {
  const outDir = folder.at('dist');
  await build({
    root: folder.path,
    base: './',
    configFile: false,
    logLevel: 'error',
    build: { outDir, emptyOutDir: true, target: 'es2023', modulePreload: false, reportCompressedSize: false },
  });
  return outDir;
}

/** The program behind a command of a package. */
export async function program(name: string, command: string): Promise<string> {
  const manifest = join(root, 'node_modules', name, 'package.json');
  const { bin } = JSON.parse(await readFile(manifest, 'utf8'));
  return join(dirname(manifest), typeof bin === 'string' ? bin : bin[command]);
}
