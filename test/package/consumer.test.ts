import { copyFile, readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildPage, type Consumer, installPackage, modulesOf, program } from '../support/consumer.js';
import { everyNth, HEAVY_ONLY, isHeavy } from '../support/heavy.js';
import { filesIn, openPages } from '../support/pages.js';
import { modelPath } from '../support/workbench-page.js';

// The package as a user gets it: what is in it, its types, and whether it runs where it says that it does.

let consumer: Consumer;
let modules: string[];
beforeAll(async () => {
  consumer = await installPackage();
  modules = modulesOf(consumer);
  await copyFile(modelPath('lenet5.onnx'), consumer.folder.at('model.onnx'));
});
afterAll(() => consumer?.remove());

/** A name for a module's own variable. */
const variable = (module: string) => module.replace(/[^a-z]+(.)?/g, (_, letter = '') => letter.toUpperCase());

describe('the package', () => {
  test('holds what can be reached from its exports and its command, and little else', async () => {
    const { files, installed, exports } = consumer;
    for (const [name, to] of exports) expect(files, name).toContain(posix.normalize(to));
    const reached = new Set<string>();
    const { bin } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'));
    const follow = [...exports.values(), ...Object.values<string>(bin)].map((path) => posix.normalize(path));
    for (let file = follow.pop(); file !== undefined; file = follow.pop()) {
      if (reached.has(file) || !files.includes(file)) continue;
      reached.add(file);
      if (!/\.(c?js|d\.ts)$/.test(file)) continue;
      const code = await readFile(join(installed, file), 'utf8');
      const targets = code.matchAll(/(?:from|import|require|URL)\s*\(?\s*["'`](\.[^"'`]+)["'`]/g);
      const found = [...targets].map(([, to = '']) => posix.join(posix.dirname(file), to));
      follow.push(...found, ...[file, ...found].map((path) => path.replace(/\.js$/, '.d.ts')));
    }
    const rest = files.filter((file) => !reached.has(file));
    // Read by the command, not imported; and what npm adds.
    const read =
      /^dist\/(page\/harness\.js|vendor\/LICENSES\.txt|workbench\/(index\.html|LICENSES\.txt|assets\/[\w.-]+|docs\/[\w-]+\.html))$/;
    const added = ['LICENSE', 'README.md'];
    // What the README leads to.
    const pages =
      /^(docs\/(guide\/)?[\w-]+\.md|examples\/.*|(CHANGELOG|CONTRIBUTING|SECURITY)\.md|test\/demo\/workbench\.png)$/;
    const others = rest.filter((file) => !read.test(file) && !pages.test(file) && !added.includes(file));
    expect(others).toEqual([]);
    expect(rest).toEqual(
      expect.arrayContaining([...added, 'dist/page/harness.js', 'dist/workbench/index.html']),
    );
    for (const file of reached) {
      if (/\.c?js$/.test(file))
        expect(await readFile(join(installed, file), 'utf8')).not.toContain('sourceMapping');
    }
  });

  test('has whatever its pages link to, so that each link works without the repository', async () => {
    const { files, installed } = consumer;
    const pages = files.filter((file) => file.endsWith('.md'));
    expect(pages).toEqual(expect.arrayContaining(['README.md', 'docs/start.md', 'examples/README.md']));
    for (const page of pages) {
      const text = await readFile(join(installed, page), 'utf8');
      for (const [, target = ''] of text.matchAll(/\]\((?!https:\/\/|#)([^)#]+)/g)) {
        const path = posix.join(posix.dirname(page), target);
        const isThere = files.some(
          (file) => file === path || file === `${path}.md` || file.startsWith(`${path}/`),
        );
        expect(isThere, `${page}: ${target}`).toBe(true);
      }
    }
  });

  test('has nothing that publint minds', async () => {
    const { messages, pkg } = await publint({ pkgDir: consumer.installed, pack: false, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg ?? {}))).toEqual([]);
  });

  test('has types that arethetypeswrong finds right', async ({ skip }) => {
    skip(!isHeavy, HEAVY_ONLY);
    const attw = await program('@arethetypeswrong/cli', 'attw');
    const config = ['--config-path', new URL('../../.attw.json', import.meta.url).pathname];
    const args = [consumer.tarball, '--no-definitely-typed', '--format', 'ascii', ...config];
    const said = await consumer.node(attw, ...args);
    // The program has failed otherwise; CommonJS and TypeScript before 4.7 are no part of the profile.
    expect(said.match(/^(node16 \(from ESM\)|bundler): .*(ESM|JSON|🟢)/gmu)).toHaveLength(
      2 * modulesIn(said),
    );
  });
});

/** How many entry points a report is about. */
const modulesIn = (said: string) => said.match(/^"onnx-mish.*"$/gm)?.length ?? 0;

const SCRIPT = `
const bytes = new Uint8Array(readFileSync('model.onnx'));
const { sites } = await inspect(bytes);
const { output, report } = await swap(bytes, { form: 'exp' });
const again = await (await undo(await output.blob())).bytes();
console.log(JSON.stringify([sites.length, report.form, Buffer.compare(again, bytes), all.every((module) => Object.keys(module).length > 0)]));
`;
const SAID = [4, 'exp', 0, true];

describe('a project that has installed it', () => {
  test('runs it in Node, by import and by require', async () => {
    const { folder, node } = consumer;
    const names = modules.map((name) => `'${name}'`);
    await folder.write(
      'esm.mjs',
      `import { readFileSync } from 'node:fs';
import { inspect, swap, undo } from 'onnx-mish';
const all = await Promise.all([${names}].map((name) => import(name)));${SCRIPT}`,
    );
    await folder.write(
      'cjs.cjs',
      `const { readFileSync } = require('node:fs');
const { inspect, swap, undo } = require('onnx-mish');
const all = [${names.map((name) => `require(${name})`)}];
(async () => {${SCRIPT}})();`,
    );
    for (const script of ['esm.mjs', 'cjs.cjs']) {
      const printed = await node('--no-warnings', script);
      expect(JSON.parse(printed), script).toEqual(SAID);
    }
  });

  test('has its command', async () => {
    const main = join(consumer.installed, 'dist/bin/main.cjs');
    await consumer.node(main, 'swap', 'model.onnx', '-o', 'swapped.onnx');
    const inspected = JSON.parse(await consumer.node(main, 'inspect', 'swapped.onnx', '--json'));
    expect(inspected.mish).toHaveLength(4);
  });

  test.each(everyNth(2, ['nodenext', 'bundler']))(
    'compiles in strict TypeScript, resolved as %s',
    async (moduleResolution) => {
      const { folder, node } = consumer;
      const tsc = await program('typescript', 'tsc');
      const module = moduleResolution === 'nodenext' ? 'nodenext' : 'esnext';
      const strict = { strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true };
      const target = { target: 'es2023', lib: ['es2023', 'dom', 'dom.iterable'], module, moduleResolution };
      const types = ['node', 'onnx-mish/client'];
      const compile = async (code: string, skipLibCheck: boolean, others: readonly string[] = []) => {
        await folder.write('typed.ts', code);
        const compilerOptions = { ...strict, ...target, types, noEmit: true, skipLibCheck };
        const files = ['typed.ts', ...others];
        await folder.write('tsconfig.json', JSON.stringify({ compilerOptions, files }));
        return node(tsc, '--singleThreaded', '--pretty', 'false', '--project', 'tsconfig.json');
      };
      // Those of unplugin name bundlers that a project need not have, so only its own use of them is checked.
      const isPlugin = (name: string) => /\/(unplugin|vite|webpack|rollup|esbuild|rspack)$/.test(name);
      const checked = modules.filter((name) => !isPlugin(name));
      // What it says is held to: a form that there is not, does not compile, and is the only error.
      await folder.write('wrong.ts', TYPED.replace("form: 'exp'", "form: 'relu'"));
      const wrong = await compile(TYPED + checked.map(importOf).join('\n'), false, ['wrong.ts']).catch(
        String,
      );
      expect(wrong.match(/[\w.]+(?=\(\d+,\d+\): error )/g)).toEqual(['wrong.ts']);
      expect(wrong).toContain('relu');
      const plugins = modules.filter(isPlugin);
      expect(plugins).toHaveLength(6);
      if (isHeavy) expect(await compile(plugins.map(importOf).join('\n') + PLUGINS, true)).toBe('');
    },
  );

  test('runs it in a page that Vite has built', async () => {
    await consumer.folder.write(
      'index.html',
      '<!doctype html><title>page</title><script type="module" src="page.js"></script>',
    );
    await consumer.folder.write(
      'page.js',
      `import { inspect, swap, undo } from 'onnx-mish';
import { createMishSession } from 'onnx-mish/web';
const blob = await (await fetch('model.onnx')).blob();
const { sites } = await inspect(blob);
const { output, report } = await swap(blob.stream(), { form: 'exp' });
const again = await (await undo(await output.blob())).bytes();
const bytes = new Uint8Array(await blob.arrayBuffer());
const same = again.length === bytes.length && again.every((byte, index) => byte === bytes[index]);
globalThis.said = [sites.length, report.form, same ? 0 : 1, typeof createMishSession === 'function'];`,
    );
    const built = await buildPage(consumer);
    const pages = await openPages([
      ...(await filesIn(built)),
      ['model.onnx', { file: modelPath('lenet5.onnx') }],
    ]);
    try {
      const page = await pages.open();
      await page.waitForFunction(() => 'said' in globalThis);
      expect(await page.evaluate(() => (globalThis as unknown as { said: unknown }).said)).toEqual(SAID);
      expect(pages.errors).toEqual([]);
    } finally {
      await pages.close();
    }
  });
});

const importOf = (name: string) =>
  `import * as ${variable(name)} from '${name}';\nconsole.log(${variable(name)});`;

const PLUGINS = `
import type { PluginOption } from 'vite';
import onnxMish from 'onnx-mish/vite';
export const plugins: PluginOption[] = [onnxMish(), onnxMish({ target: 'webgl' })];
`;

const TYPED = `import url from './model.onnx?mish';
import * as ort from 'onnxruntime-web/all';
import { type Inspection, inspect, OnnxMishError, retarget, type SwapReport, swap, undo } from 'onnx-mish';
import { createMishSession, type MishSession } from 'onnx-mish/web';

export const address: string = url;

export async function use(model: Blob): Promise<[Inspection, SwapReport, Uint8Array]> {
  const { output, report } = await swap(model, { form: 'exp', include: ['/1/*'] });
  const blob: Blob = await output.blob();
  const { report: retargeted } = await retarget(blob.stream(), { target: 'webgl' });
  console.log(retargeted.sites.map(({ label, beta }) => label + beta.toFixed(1)));
  return [await inspect(new Uint8Array(await blob.arrayBuffer())), report, await (await undo(blob)).bytes()];
}

// @ts-expect-error not a form
export const wrong = (model: Blob) => swap(model, { form: 'relu' });

export async function open(): Promise<ort.InferenceSession> {
  let made: MishSession | undefined;
  try {
    const session: ort.InferenceSession = await createMishSession(ort, new URL('https://example.org/model.onnx'), {
      providers: ['webgl', 'wasm'],
      form: 'auto',
      session: { freeDimensionOverrides: { N: 1 } },
      onProgress: (event) => {
        if (event.phase === 'fetch') console.log(event.loaded / (event.total ?? Number.NaN));
      },
      onSession: (session) => {
        made = session;
      },
    });
    await session.run({ x: new ort.Tensor('float32', [1, 2], [2]) });
    return session;
  } catch (error) {
    if (error instanceof OnnxMishError) console.error(error.code, error.fix);
    throw made ?? error;
  }
}
`;
