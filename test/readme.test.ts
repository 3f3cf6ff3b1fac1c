import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { zipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cli } from './support/cli.js';
import { isHeavy } from './support/heavy.js';
import { floats, model, node, value } from './support/model.js';
import { npy, raw } from './support/numpy.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../', import.meta.url));
const docs = [
  'start',
  'experiment',
  'experiment-claims',
  'finetune',
  'gradients',
  'is-mish-better',
  'landscape',
  'what-it-costs',
  'concepts',
  'providers',
  'how-calibrate-works',
  'calibrate-figures',
  'benchmarks',
  'trust',
  'dependencies',
];
const examples = ['vite', 'react', 'next', 'node', 'github-actions', 'experiment', 'batches'];
const guides = [
  'swap',
  'validate',
  'accuracy',
  'finetune',
  'experiment',
  'library',
  'train',
  'page',
  'build',
  'pipelines',
  'workbench',
];
/** What a reader reads, by its path. */
const pages = new Map(
  [
    'README.md',
    'CONTRIBUTING.md',
    ...docs.map((name) => `docs/${name}.md`),
    'examples/README.md',
    ...examples.map((name) => `examples/${name}/README.md`),
    ...guides.map((name) => `docs/guide/${name}.md`),
  ].map((path) => [path, readFileSync(join(root, path), 'utf8')]),
);

/** The code blocks of a page in a language. */
function blocks(page: string, language: string): string[] {
  const text = pages.get(page) ?? '';
  return [...text.matchAll(/```(\w*)\n([\s\S]*?)```/g)].flatMap(([, kind, code = '']) =>
    kind === language ? [code] : [],
  );
}

// Inside the package, so that it can import itself by name.
const parent = join(root, '.demo');
let folder = '';

beforeAll(() => {
  mkdirSync(parent, { recursive: true });
  folder = mkdtempSync(join(parent, 'readme-'));
  const bytes = model({
    nodes: [
      node('MatMul', ['x', 'w'], ['h'], {}, { name: 'linear' }),
      node('Relu', ['h'], ['y'], {}, { name: 'act' }),
    ],
    inputs: [value('x', 1, [2, 3])],
    outputs: [value('y', 1, [2, 3])],
    initializers: [floats('w', [3, 3], [1, -2, 3, -4, 5, -6, 7, -8, 9])],
  });
  writeFileSync(join(folder, 'model.onnx'), bytes);
  const samples = Float32Array.from({ length: 64 * 3 }, (_, index) => 3 * Math.sin(7 * index));
  // By default the timing lasts two seconds on each provider.
  const validate = { pairs: 5, seconds: 0.1 };
  if (!isHeavy) writeFileSync(join(folder, 'onnx-mish.config.json'), JSON.stringify({ validate }));
  writeFileSync(join(folder, 'samples.npz'), zipSync({ 'x.npy': npy('<f4', [64, 3], raw(samples)) }));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the README and the documentation', () => {
  test('has command lines that work, in their order', async () => {
    const [block = ''] = blocks('docs/guide/swap.md', 'sh');
    const lines = block.split('\n').map((line) => line.replace(/#.*/, '').trim());
    const commands = lines.filter((line) => line.startsWith('onnx-mish '));
    expect(commands.length).toBeGreaterThanOrEqual(7);
    const onWeb = commands.findIndex((command) => command.includes('--providers cpu,wasm,webgl'));
    expect(onWeb).toBeGreaterThan(0);
    expect(commands).toContain('onnx-mish doctor');
    if (!isHeavy) {
      // test/cli/commands/validate.test.ts starts both in a browser.
      commands[onWeb] = commands[onWeb]?.replace(',wasm,webgl', '') ?? '';
      commands[commands.indexOf('onnx-mish doctor')] = 'onnx-mish doctor --help';
    }
    for (const command of commands) {
      const [line = '', into] = command.split(' > ');
      const words = line
        .split(/\s+/)
        .slice(1)
        .map((word) => word.replace(/^"(.*)"$/, '$1'));
      // The second swap of the list would be refused, rightly: the first one's output is there.
      const force = words[0] === 'swap' && existsSync(join(folder, 'model.mish.onnx')) ? ['--force'] : [];
      const { code, stdout, bytes, stderr } = await cli([...words, ...force], { cwd: folder });
      expect(code, `${command}: ${stderr}`).toBe(0);
      expect(stdout, command).not.toBe('');
      if (into !== undefined) writeFileSync(join(folder, into), bytes);
    }
    const [original, again] = ['model.onnx', 'again.onnx'].map((name) => readFileSync(join(folder, name)));
    expect(again).toEqual(original);
  });

  test('has a library example that works', async () => {
    const [code = ''] = blocks('docs/guide/library.md', 'js');
    const script = join(folder, 'library.mjs');
    const providers = "{ providers: ['cpu', 'wasm'] }";
    expect(code).toContain(providers);
    const latency = '{ minPairs: 5, minSeconds: 0 }';
    const quick = isHeavy ? code : code.replace(providers, providers.replace('{', `{ latency: ${latency},`));
    for (const name of ['model.mish.onnx', 'swapped.onnx']) rmSync(join(folder, name), { force: true });
    writeFileSync(
      script,
      `import { readFileSync } from 'node:fs';
const bytes = new Uint8Array(readFileSync('model.onnx'));
${quick}
console.log(JSON.stringify([sites.length, report.form, Buffer.compare(original, bytes), ...result.providers.map(({ status }) => status), html.slice(0, 15)]));`,
    );
    const { stdout } = await run(process.execPath, [script], { cwd: folder });
    expect(JSON.parse(stdout)).toEqual([1, 'exp', 0, 'ran', 'ran', '<!doctype html>']);
  });

  test('has a training that works', async () => {
    const [code = ''] = blocks('docs/guide/train.md', 'js');
    const script = join(folder, 'train.mjs');
    writeFileSync(
      script,
      `const numbers = (count) => Float32Array.from({ length: count * 784 }, (_, at) => Math.sin(at) ** 2);
const arrays = (count) => ({ elemType: 'f32', dims: [count, 1, 28, 28], data: numbers(count) });
const classes = (count) => Array.from({ length: count }, (_, at) => at % 10);
const [images, otherImages, labels, otherLabels] = [arrays(64), arrays(20), classes(64), classes(20)];
${code.replace("'model.onnx'", JSON.stringify(join(root, 'models/lenet5.onnx')))}
console.log(JSON.stringify([trainer.epochs.length, losses.length, trainer.best]));`,
    );
    const { stdout } = await run(process.execPath, [script], { cwd: folder });
    const lines = stdout.trim().split('\n');
    expect(JSON.parse(lines.at(-1) ?? '')).toEqual([3, 20, expect.any(Number)]);
    expect(existsSync(join(folder, 'trained.onnx'))).toBe(true);
  });

  test('names scripts that there are', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = [...pages.values()].flatMap((text) =>
      [...text.matchAll(/npm run ((?:\w+:)?[a-z]+)/g)].map(([, name = '']) => name),
    );
    expect(named.length).toBeGreaterThan(10);
    const ofExamples = ['models', 'dev'];
    for (const name of named.filter((name) => !ofExamples.includes(name)))
      expect(Object.keys(scripts)).toContain(name);
  });

  test('links to files that there are', () => {
    for (const [path, text] of pages) {
      for (const [, target = ''] of text.matchAll(/\]\((?!https?:|\/)([^)#]+)/g)) {
        const file = join(root, dirname(path), target);
        expect([file, `${file}.md`].some(existsSync), `${path}: ${target}`).toBe(true);
      }
    }
  });

  test('names files that there are', () => {
    const named = [...pages].flatMap(([page, text]) =>
      [...text.matchAll(/(?<![\w./])(?:docs|examples|models|proto|src|test)\/[\w./-]+\.\w+/g)].map(
        ([path]) => ({ page, path }),
      ),
    );
    expect(named.length).toBeGreaterThan(30);
    expect(named.filter(({ path }) => !existsSync(join(root, path)))).toEqual([]);
  });

  test('the README is read to its end: it has at most 150 lines', () => {
    expect((pages.get('README.md') ?? '').split('\n').length).toBeLessThanOrEqual(151);
  });
});
