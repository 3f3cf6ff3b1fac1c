import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import manifest from '../package.json' with { type: 'json' };
import { VERSION } from '../src/base/version.js';
import { circles } from './support/circles.js';
import { functionLengths } from './support/function-lengths.js';

const root = fileURLToPath(new URL('../src/', import.meta.url));
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => /\.tsx?$/.test(name));

/** From the top down: imports go to the right, never to the left. */
const LAYERS = [
  'cli',
  'bundler',
  'web',
  'render',
  'node',
  'experiment',
  'finetune',
  'calibrate',
  'validate',
  'train',
  'metrics',
  'data',
  'providers',
  'files',
  'mish',
  'onnx',
  'base',
];

const layerOf = (path: string) => (path.includes('/') ? LAYERS.indexOf(path.split('/')[0] ?? '') : undefined);

const imports = files.flatMap((file) => {
  const text = readFileSync(join(root, file), 'utf8');
  const code = text.replace(/^\/\*\*[\s\S]*?\*\/$/gm, ''); // examples in docstrings import, too
  const found = code.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g);
  return [...found].map(([, target = '']) => ({ file, target }));
});

test('every folder is a layer', () => {
  for (const file of files) expect(layerOf(file), file).not.toBe(-1);
});

test('imports point down', () => {
  const inner = imports.filter(({ target }) => target.startsWith('.') && !target.includes('/proto/'));
  expect(inner.length).toBeGreaterThan(100);
  for (const { file, target } of inner) {
    const path = relative(root, join(root, file, '..', target));
    const [from, to] = [layerOf(file), layerOf(path)];
    if (from === undefined || to === undefined) continue; // index.ts belongs to no layer
    expect(to, `${file} imports ${path}`).toBeGreaterThanOrEqual(from);
  }
});

/** Which of our modules each one imports: what an index exports stands for its folder's door and not for the folder. */
const inside = imports.flatMap(({ file, target }) => {
  if (!target.startsWith('.')) return [];
  const path = relative(root, join(root, file, '..', target));
  const found = files.find((name) => name.replace(/\.tsx?$/, '.js') === path);
  return found === undefined ? [] : [[file, found] as const];
});

test('no files import each other in a circle', () => {
  expect(inside.length).toBeGreaterThan(100);
  expect(circles(inside)).toEqual([]);
});

test('no folders import each other in a circle', () => {
  const room = (file: string) => (/(^|\/)index\.ts$/.test(file) ? file : dirname(file));
  expect(circles(inside.map(([from, to]) => [room(from), room(to)]))).toEqual([]);
});

test('a circle is found, however long', () => {
  expect(circles([['a', 'b'], ['b', 'c'], ['a', 'c'], ['a', 'a']])).toEqual([]); // biome-ignore format: pairs
  const long = Array.from({ length: 2000 }, (_, at) => [`${at}`, `${(at + 1) % 2000}`] as const);
  expect(circles([['x', '7'], ...long, ['8', 'y']]).map(({ length }) => length)).toEqual([2000]);
});

test('what runs in a page as well knows no files', () => {
  const portable = /^(train|metrics|data|validate|calibrate|finetune|experiment)\//;
  const users = imports.filter(({ file }) => portable.test(file));
  expect(users.length).toBeGreaterThan(100);
  for (const { file, target } of users) {
    const path = target.startsWith('.') ? relative(root, join(root, file, '..', target)) : target;
    expect(path, `an import of ${file}`).not.toMatch(/^(node:|node\/|files\/)/);
  }
});

test('whether a model is a path is asked in one place', () => {
  const asking = files.filter((file) =>
    /typeof \w*model === 'string'/i.test(readFileSync(join(root, file), 'utf8')),
  );
  expect(asking).toEqual(['providers/provider.ts']);
});

test.each(['train'])('%s runs without Node', (folder) => {
  const users = imports.filter(({ file }) => file.startsWith(`${folder}/`));
  expect(users.length).toBeGreaterThan(0);
  for (const { file, target } of users) {
    expect(target, file).not.toMatch(/^node:/);
    expect(relative(root, join(root, file, '..', target)), file).not.toMatch(/^(node|files)\//);
  }
});

describe('what is fenced off', () => {
  test.each([
    [/^node:/, /^(node|files|cli|bundler)\/|^providers\/(node|browser)\//],
    [/^onnxruntime-node/, /^providers\/node\/(create-session|provider|runtime|values)\.ts$/],
    [
      /^onnxruntime-web/,
      /^web\/(harness\/(create-in-turn|harness|runtime|facts|ort-provider)|session\/(create|web-provider))\.ts$/,
    ],
    [/^playwright-core$/, /^providers\/browser\/launch\.ts$/],
    [/\/proto\/(onnx|wire)\.js$/, /^(onnx|mish)\//],
    [/^commander$/, /^cli\//],
    [
      /^zod$/,
      /^(validate|finetune|experiment)\/report-schema(-measures)?\.ts$|^finetune\/checkpoint\.ts$|^cli\/config\/(config-schema|load-config)\.ts$|^web\/workbench\/engine\/no-eval\.ts$/,
    ],
    [/^jiti$/, /^cli\/config\/load-config\.ts$/],
    [/^tinyglobby$/, /^cli\/io\/inputs\.ts$/],
    [/^ml-matrix$/, /^calibrate\//],
    [/^(unplugin|esbuild)$/, /^bundler\//],
    [/^sharp$/, /^node\/read-images\.ts$/],
    [/^vega/, /^render\/html\//],
    [/^preact/, /^(render\/html|web\/workbench\/(app|page|rooms))\//],
    [/^(uplot|comlink)$/, /^web\/workbench\//],
    [/^@dagrejs\/dagre$/, /^web\/workbench\/page\/graph-layout\.ts$/],
  ])('%s is imported by %s only', (target, allowed) => {
    const users = imports.filter((entry) => target.test(entry.target));
    expect(users.length).toBeGreaterThan(0);
    for (const { file } of users) expect(file).toMatch(allowed);
  });
});

test('no file has grown past 400 lines', () => {
  for (const file of files) {
    expect(readFileSync(join(root, file), 'utf8').split('\n').length, file).toBeLessThanOrEqual(401);
  }
});

/** Functions of more than 80 lines, and why each is one function. */
const LONG_FUNCTIONS: Readonly<Record<string, string>> = {
  'mish/fix.ts remedied': 'a short case for each remedy, applied to the result of those before',
  'mish/region.ts createRegions': 'its parts share a visit count and caches',
  'mish/sites.ts findSites': 'one pass over the nodes, whose checks come in the order of the reasons to skip',
  'mish/use-guard.ts guardQuestion': 'a table of rules by operator, which share two arguments',
  'mish/value-flow.ts createFollower': 'its steps call each other and share ledgers and counts',
  'onnx/element-types.ts inferElementTypes': 'its steps call each other and share results and budget',
  'onnx/graph-index.ts indexGraphs': 'its methods share arrays that a single pass fills',
  'onnx/reader.ts createReader': 'its methods share the window and a position, local variables for speed',
  'onnx/type-run.ts typeRun': 'its steps share the table of types and the nodes to visit again',
};
const MAX_LINES = 80;

test('a function has at most 80 lines, unless a reason is given', () => {
  const long = files.flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    if (text.split('\n').length <= MAX_LINES) return []; // not parsed, to save time
    return functionLengths(text, file.endsWith('x') ? 'tsx' : 'ts')
      .filter(({ lines }) => lines > MAX_LINES)
      .map(({ name }) => `${file} ${name}`);
  });
  expect(long.toSorted()).toEqual(Object.keys(LONG_FUNCTIONS));
});

const COMMAND = 'runs one command: connects its options, files, messages and the module that does the work';
const STEPS = 'calls the steps of one job in their order; each import is a step or a type of its result';
const ENTRANCE = 'connects files and providers with the modules that know neither';

/** Files that import more than 15 modules, and why each imports so many. */
const MANY_IMPORTS: Readonly<Record<string, string>> = {
  'calibrate/attempt.ts': STEPS,
  'calibrate/distil.ts': STEPS,
  'calibrate/repair-swap.ts': STEPS,
  'calibrate/select/trial.ts': STEPS,
  'cli/commands/inspect-data.ts': COMMAND,
  'cli/commands/inspect.ts': COMMAND,
  'cli/commands/report.ts': COMMAND,
  'cli/commands/run-calibrate.ts': COMMAND,
  'cli/commands/run-experiment.ts': COMMAND,
  'cli/commands/run-finetune.ts': COMMAND,
  'cli/commands/run-keep.ts': COMMAND,
  'cli/commands/run-rank.ts': COMMAND,
  'cli/commands/run-sharpen.ts': COMMAND,
  'cli/commands/run-validate.ts': COMMAND,
  'cli/commands/swap.ts': COMMAND,
  'cli/commands/workbench-files.ts': COMMAND,
  'cli/io/files.ts': 'the way of every file command: inputs, outputs, errors, reports',
  'cli/run.ts': 'lists the commands, an import each',
  'index.ts': 'lists what the core exports',
  'mish/swap.ts': STEPS,
  'node/calibrate.ts': ENTRANCE,
  'node/validate.ts': ENTRANCE,
  'train/prepare-training.ts': STEPS,
  'train/training-graph.ts': STEPS,
  'train/training-plan.ts': STEPS,
  'validate/measure.ts': STEPS,
  'web/session/create.ts':
    'connects ONNX Runtime Web with the swap, and with what each provider in a page needs',
  'web/session/prepare.ts': 'does in order what each provider in a page needs of a model',
  'web/workbench/engine/comparer.ts': STEPS,
  'web/workbench/engine/finetuner.ts': STEPS,
  'web/workbench/engine/repairer.ts': STEPS,
};
const MAX_IMPORTS = 15;

test('a file imports at most 15 modules, unless a reason is given', () => {
  const many = files.filter(
    (file) =>
      new Set(imports.flatMap((entry) => (entry.file === file ? [entry.target] : []))).size > MAX_IMPORTS,
  );
  expect(many.toSorted()).toEqual(Object.keys(MANY_IMPORTS));
});

test('the version is package.json’s', () => {
  expect(VERSION).toBe(manifest.version);
});
