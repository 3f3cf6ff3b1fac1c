// `npm run licences`: whether every dependency, on every platform that the lock names, has a licence that goes with MIT. What is
// installed is asked by its own files as well, which tell what a lock may not.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Asks for nothing but a notice. */
const PERMISSIVE = [
  ...['MIT', 'MIT-0', 'ISC', '0BSD', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', 'BlueOak-1.0.0', 'Zlib'],
  ...['CC0-1.0', 'Unlicense', 'Python-2.0'],
];
/** For what is not part of what we publish: tools that are run, and data. */
const FOR_TOOLS = [...PERMISSIVE, 'MPL-2.0', 'CC-BY-3.0', 'CC-BY-4.0'];

/**
 * What users install that is not permissive, and why it may be: sharp's libvips is a shared library in a package of its own,
 * unchanged, that anyone can exchange, which is what the LGPL asks for. We neither contain nor link it.
 */
const EXCEPTIONS = [{ name: /^@img\/sharp-(libvips-|wasm32$|win32-)/, licences: ['LGPL-3.0-or-later'] }];

/** Whether an SPDX expression can be met by these licences. */
export function allows(licences, expression) {
  const alternatives = expression.replaceAll(/[()]/g, ' ').split(/\sOR\s/);
  return alternatives.some((one) => one.split(/\sAND\s/).every((name) => licences.includes(name.trim())));
}

/** What is wrong with the licence of a package; undefined if nothing is. */
export function problem({ name, licence, production }) {
  if (!licence) return `${name} names no licence`;
  const exception = EXCEPTIONS.find((one) => one.name.test(name))?.licences ?? [];
  if (allows([...(production ? PERMISSIVE : FOR_TOOLS), ...exception], licence)) return undefined;
  return `${name} has the licence ${licence}, which ${production ? 'users' : 'tools'} cannot have`;
}

/** The packages that our own code imports. */
export function importedPackages() {
  const files = readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' });
  const code = files
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => readFileSync(`${root}src/${name}`, 'utf8'));
  // Not those of types only, which are not there when it runs; a file that is looked up is.
  const statement =
    /^(?:import|export)(?! type\b)(?:[^;']*\sfrom)?\s*'([^'.][^']*)'|\b(?:import|resolve)\('([^'.][^']*)'\)/gm;
  const targets = code.flatMap((text) => [...text.matchAll(statement)]).map(([, one, other]) => one ?? other);
  const packages = targets.map((target) => /^(@[^/]+\/)?[^/]+/.exec(target)[0]);
  return new Set(packages.filter((name) => !name.startsWith('node:')));
}

/**
 * The paths in the lock of what users get: what `npm install onnx-mish` brings, and what is bundled into our pages. A peer is
 * brought by who asks for it.
 */
export function productionPaths(packages, bundled) {
  const found = new Set();
  const open = [''];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const { dependencies, optionalDependencies } = packages[path];
    const own = path === '' ? bundled : [];
    for (const name of [...own, ...Object.keys({ ...dependencies, ...optionalDependencies })]) {
      // As Node does: in the package itself, then in those around it.
      let from = path;
      let target = `${from}/node_modules/${name}`.replace(/^\//, '');
      while (packages[target] === undefined && from !== '') {
        from = from.slice(0, Math.max(from.lastIndexOf('/node_modules/'), 0));
        target = `${from}/node_modules/${name}`.replace(/^\//, '');
      }
      if (packages[target] === undefined || found.has(target)) continue;
      found.add(target);
      open.push(target);
    }
  }
  return found;
}

/** Every dependency with its licence, as the lock says it, or as its files do. */
export async function licences() {
  const { packages } = JSON.parse(readFileSync(`${root}package-lock.json`, 'utf8'));
  const { devDependencies } = packages[''];
  const bundled = [...importedPackages()].filter((name) => name in devDependencies);
  const production = productionPaths(packages, bundled);
  const { init } = createRequire(import.meta.url)('license-checker-rseidelsohn');
  const installed = await promisify(init)({ start: root });
  const byFiles = new Map(
    Object.values(installed).map(({ path, licenses }) => [path.slice(root.length), String(licenses)]),
  );
  return Object.entries(packages)
    .filter(([path]) => path !== '')
    .flatMap(([path, { license, version }]) => {
      const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
      const said = new Set([license, byFiles.get(path)?.replace(/\*$/, '')].filter(Boolean));
      const one = { name, version, production: production.has(path) };
      return said.size === 0 ? [one] : [...said].map((licence) => ({ ...one, licence }));
    });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const all = await licences();
  for (const production of [true, false]) {
    const counts = new Map();
    for (const one of all) {
      if (one.production === production) counts.set(one.licence, (counts.get(one.licence) ?? 0) + 1);
    }
    console.log(production ? 'What users install' : '\nWhat this repository uses besides');
    for (const [licence, count] of [...counts].sort((a, b) => b[1] - a[1])) {
      console.log(`${String(count).padStart(6)}  ${licence}`);
    }
  }
  const problems = all.map(problem).filter(Boolean);
  console.log(problems.length === 0 ? '\nAll go with MIT.' : `\n${problems.join('\n')}`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
