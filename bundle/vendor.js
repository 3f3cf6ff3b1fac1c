// Packages that dist/vendor contains, a file each, so that nobody has to install them: 1.4 MB instead of 32 MB.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';
import { noticesOf, packageFolder } from './notices.js';

const root = fileURLToPath(new URL('../', import.meta.url));
const dist = join(root, 'dist');

/** What we use of each package, as exports of a file of dist/vendor. */
const VENDOR = {
  '@noble/hashes': "export { sha256 } from '@noble/hashes/sha2.js';",
  'cli-table3': "export { default } from 'cli-table3';",
  commander: "export { Command, CommanderError, InvalidArgumentError, Option } from 'commander';",
  'ml-matrix': "export { CholeskyDecomposition, Matrix } from 'ml-matrix';",
  picocolors: "export { createColors } from 'picocolors';",
  preact: `export * from 'preact/jsx-runtime';
export { renderToStringAsync } from 'preact-render-to-string';`,
  tinyglobby: "export { glob } from 'tinyglobby';",
  vega: `export { parse, View } from 'vega';
export { compile } from 'vega-lite';`,
  zod: "export { z } from 'zod';",
};

/** Packages that only the command uses; files of the others run in Node and in a page. */
const FOR_NODE = ['commander', 'tinyglobby'];

/** Modules by the name that our code imports them by, each with its file of dist/vendor. */
const MODULES = {
  ...Object.fromEntries(Object.keys(VENDOR).map((name) => [name, name])),
  '@noble/hashes/sha2.js': '@noble/hashes',
  'preact/jsx-runtime': 'preact',
  'preact-render-to-string': 'preact',
  'vega-lite': 'vega',
};

/** Names of the packages that are bundled. */
export const BUNDLED = [
  ...new Set(Object.keys(MODULES).map((name) => /^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0])),
];

/** The locales of zod's messages, 200 kB of code and 64 files of types, which we do not use. */
const LOCALES = /zod\/v4\/locales\/index\.(js|d\.ts)$/;

/** Modules that packages import and do without here: picocolors colours our tables, and no command is a program of its own. */
const LEFT_OUT = ['@colors/colors/safe', 'node:child_process'];

/** @type {import('rolldown').InputOptions} */
const ANYWHERE = {
  platform: 'neutral',
  resolve: { mainFields: ['browser', 'module', 'main'], conditionNames: ['browser', 'import', 'default'] },
};

/** Bundles one entry of VENDOR; returns its code, its exports and its modules. */
async function bundlePackage(/** @type {keyof typeof VENDOR} */ name) {
  const entry = join(root, `entry-of-${name}.js`);
  const { output } = await build({
    input: entry,
    ...(FOR_NODE.includes(name) ? { platform: 'node' } : ANYWHERE),
    write: false,
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === entry ? entry : LEFT_OUT.includes(id) ? '\0nothing' : undefined),
        load: (id) =>
          id === entry
            ? VENDOR[name]
            : id === '\0nothing'
              ? 'export {};'
              : LOCALES.test(id)
                ? "export { default as en } from './en.js';"
                : undefined,
      },
    ],
    output: { minify: true, codeSplitting: false },
  });
  const [chunk] = output;
  if (output.length !== 1) throw new Error(`${name} does not fit into one file`);
  if (chunk.code.includes('Calling `require`')) throw new Error(`${name} needs a module of Node`);
  return chunk;
}

/** Writes dist/vendor and lets all other files of dist import it. */
export async function vendor() {
  const folders = new Set();
  const exported = new Map();
  for (const name of Object.keys(VENDOR)) {
    const { code, exports, moduleIds } = await bundlePackage(name);
    mkdirSync(dirname(join(dist, 'vendor', name)), { recursive: true });
    writeFileSync(join(dist, 'vendor', `${name}.js`), code);
    exported.set(name, exports);
    for (const id of moduleIds) {
      const folder = packageFolder(id);
      if (folder !== undefined) folders.add(folder);
    }
  }
  writeFileSync(join(dist, 'vendor', 'LICENSES.txt'), noticesOf(folders));
  for (const file of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
    if (/\.(js|d\.ts)$/.test(file) && !/^(vendor|web[\\/]workbench)[\\/]/.test(file))
      redirect(file, exported);
  }
  copyTypes('zod', 'index.d.ts', 'export { z } from');
  copyTypes('ml-matrix', 'matrix.d.ts', 'export { CholeskyDecomposition, Matrix } from');
}

const IMPORT = /(?:import(?! type\b)\s+([^;'"]*?)\s+from\s+|(?:from|import)\s*\(?\s*)(["'])([^"'.][^"']*)\2/g;

/** Replaces the names of bundled packages in the imports of a file of dist. Throws if dist/vendor lacks a name. */
function redirect(file, exported) {
  const path = join(dist, file);
  const before = readFileSync(path, 'utf8');
  const after = before.replace(IMPORT, (statement, names, quote, module) => {
    const target = MODULES[module];
    if (target === undefined) return statement;
    for (const [, name] of names?.matchAll(/[{,]\s*(\w+)/g) ?? []) {
      if (file.endsWith('.js') && !exported.get(target).includes(name))
        throw new Error(`${file} imports ${name}, which bundle/vendor.js does not export from ${module}`);
    }
    const to = posix.join(
      relative(dirname(path), join(dist, 'vendor')).replaceAll('\\', '/'),
      `${target}.js`,
    );
    return statement.replace(`${quote}${module}${quote}`, `${quote}${to}${quote}`);
  });
  if (after !== before) writeFileSync(path, after);
}

/** Copies the types of a package that our types name, and the files that they import. */
function copyTypes(name, main, statement) {
  const from = join(root, 'node_modules', name);
  const to = join(dist, 'vendor', 'types', name);
  const open = [main];
  const copied = new Set();
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (copied.has(file)) continue;
    copied.add(file);
    const isLocales = LOCALES.test(`${name}/${file}`);
    const text = isLocales
      ? "export { default as en } from './en.js';\n"
      : readFileSync(join(from, file), 'utf8');
    const local = text.replace(/(from |import\()(["'])(zod(?:\/\w+)?)\2/g, (_, start, quote, module) => {
      const target = module === 'zod' ? 'index.js' : `${module.slice('zod/'.length)}.js`;
      const path = posix.relative(posix.dirname(file), target);
      return `${start}${quote}${path.startsWith('.') ? path : `./${path}`}${quote}`;
    });
    mkdirSync(dirname(join(to, file)), { recursive: true });
    writeFileSync(join(to, file), local.replace(/^\/\/# sourceMappingURL.*$/gm, ''));
    for (const [, target = ''] of local.matchAll(/(?:from|import)\s*\(?\s*["'](\.[^"']+)["']/g)) {
      open.push(posix.join(posix.dirname(file), target.replace(/\.js$/, '.d.ts')));
    }
  }
  const types = `./types/${name}/${main.replace(/\.d\.ts$/, '.js')}`;
  writeFileSync(join(dist, 'vendor', `${name}.d.ts`), `${statement} '${types}';\n`);
}
