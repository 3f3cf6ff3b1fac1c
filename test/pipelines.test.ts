// The documentation's page on many models, as it is written there: command lines, the configuration, the steps of the workflow
// and the npm scripts, in projects that have the package as it is published.
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COST_NOTE } from './support/cli.js';
import { type Folder, tempFolder } from './support/folder.js';
import { isHeavy } from './support/heavy.js';
import { floats, model, node, value } from './support/model.js';
import { packPackage, unpack } from './support/packed.js';

const root = fileURLToPath(new URL('../', import.meta.url));
const section = readFileSync(join(root, 'docs/guide/pipelines.md'), 'utf8');

/** The one code block of a language in the section. */
function block(language: string): string {
  const found = [...section.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)];
  const [one = '', ...more] = found.flatMap(([, kind, code = '']) => (kind === language ? [code] : []));
  expect([one, more], language).toEqual([expect.stringMatching(/\S/), []]);
  return one;
}

/** A model of a layer and an activation, each a little different. */
function small(seed: number): Uint8Array {
  return model({
    nodes: [node('MatMul', ['x', 'w'], ['h']), node('Relu', ['h'], ['y'])],
    inputs: [value('x', 1, [4, 3])],
    outputs: [value('y', 1, [4, 3])],
    initializers: [
      floats(
        'w',
        [3, 3],
        Array.from({ length: 9 }, (_, index) => 4 * Math.sin(seed + index)),
      ),
    ],
  });
}

const MODELS = ['a.onnx', 'b/c.onnx', 'b/d.onnx', 'e.onnx', 'f.onnx'];

let packed = '';
beforeAll(async () => {
  // The package as npm would publish it, unpacked where it finds its dependencies without a network.
  mkdirSync(join(root, '.demo'), { recursive: true });
  packed = mkdtempSync(join(root, '.demo', 'packed-'));
  mkdirSync(join(packed, 'package'));
  await unpack((await packPackage()).tarball, join(packed, 'package'));
});

afterAll(() => rmSync(packed, { recursive: true, force: true }));

/** A project with models, the page's configuration, and onnx-mish installed. */
async function project({ broken = true } = {}): Promise<Folder> {
  const folder = await tempFolder();
  for (const [index, name] of [...MODELS, ...(broken ? ['old/broken.onnx'] : [])].entries()) {
    mkdirSync(dirname(folder.at('models', name)), { recursive: true });
    await folder.write(join('models', name), name.includes('broken') ? 'no model' : small(index));
  }
  const { scripts } = JSON.parse(block('json'));
  await folder.write('package.json', JSON.stringify({ name: 'project', private: true, scripts }));
  await folder.write('onnx-mish.config.ts', block('ts'));
  mkdirSync(folder.at('node_modules', '.bin'), { recursive: true });
  const own = join(packed, 'package');
  symlinkSync(own, folder.at('node_modules', 'onnx-mish'));
  const { bin } = JSON.parse(await readFile(join(own, 'package.json'), 'utf8'));
  chmodSync(join(own, bin['onnx-mish']), 0o755); // as npm does
  symlinkSync(join(own, bin['onnx-mish']), folder.at('node_modules', '.bin', 'onnx-mish'));
  return folder;
}

/** Runs a script as GitHub does, `bash -e`, with the project's own commands in the path as npm has them. */
function shell(script: string, folder: Folder): Promise<{ code: number; stdout: string; stderr: string }> {
  const PATH = `${folder.at('node_modules', '.bin')}:${dirname(process.execPath)}:${process.env.PATH}`;
  const env = { PATH, HOME: folder.path, npm_config_offline: 'true', npm_config_update_notifier: 'false' };
  return new Promise((resolve) => {
    execFile('bash', ['-e', '-c', script], { cwd: folder.path, env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
  });
}

const below = async (folder: Folder, name: string) =>
  (await readdir(folder.at(name), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.at(name).length + 1))
    .sort();

const swapped = MODELS.map((name) => name.replace(/onnx$/, 'mish.onnx'));

describe('the page on pipelines', () => {
  test('has command lines that work, in their order', async () => {
    const folder = await project({ broken: false });
    const lines = block('sh').trim().split('\n');
    expect(lines).toHaveLength(3);
    for (const line of lines) {
      expect(line).toMatch(/^onnx-mish .*"models/);
      const { code, stderr } = await shell(line, folder);
      expect([code, stderr.replace(COST_NOTE, '')], line).toEqual([0, '']);
    }
    expect(await below(folder, 'out')).toEqual(swapped);
    expect(await below(folder, 'out2')).toEqual(swapped.slice(1, 2));
    expect((await readFile(folder.at('2.jsonl'), 'utf8')).trim().split('\n')).toHaveLength(1);
  });

  test('has a workflow whose steps work, on each machine of its matrix', async () => {
    const yaml = block('yaml');
    const [, list = ''] = /^ +shard: \[(.*)\]$/m.exec(yaml) ?? [];
    const shards = list.split(',').map((shard) => shard.trim());
    expect(shards.length).toBeGreaterThan(1);
    const steps = stepsOf(yaml);
    expect(steps.map(({ uses }) => uses).filter((uses) => uses !== undefined)).toEqual([
      'actions/checkout@v5',
      'actions/setup-node@v5',
      'actions/upload-artifact@v4',
    ]);
    const scripts = steps.flatMap(({ run }) => (run === undefined ? [] : [run]));
    // What installs needs a network, and is this line only; `project` has installed the package from its tarball.
    const [install, ...others] = scripts;
    expect(install).toBe('npm ci');
    expect(others.length).toBeGreaterThanOrEqual(2);

    const found: string[] = [];
    for (const shard of shards) {
      const machine = await project();
      for (const script of others) {
        const { code, stderr } = await shell(onMachine(script, shard), machine);
        expect([code, stderr], script).toEqual([0, '']);
      }
      found.push(...(await below(machine, 'dist/models')));
      for (const name of [`swapped-${shard}.jsonl`, `validated-${shard}.jsonl`]) {
        for (const line of (await readFile(machine.at(name), 'utf8')).trim().split('\n')) {
          expect(JSON.parse(line), name).toMatchObject({ status: 'done' });
        }
      }
    }
    expect(found.sort()).toEqual(swapped); // all together, each once
  });

  test('has a workflow that fails when a model does', async () => {
    const machine = await project();
    await machine.write('models/a.onnx', 'no model');
    const scripts = stepsOf(block('yaml')).flatMap(({ run }) => (run === undefined ? [] : [run]));
    const script = onMachine(scripts[1] ?? '', '1');
    const { code, stderr } = await shell(script, machine);
    expect(code).toBe(2);
    expect(stderr).toContain('onnx-mish: models/a.onnx: this is a text file');
    expect(await below(machine, 'dist/models')).toHaveLength(2);
  });

  test('has npm scripts that work, again and again', async () => {
    const folder = await project();
    // The run with another limit, below, is one more.
    for (let times = 0; times < (isHeavy ? 2 : 1); times++) {
      const { code, stdout } = await shell('npm run models', folder);
      expect(code).toBe(0);
      expect(stdout).toContain('5 models: 5 swapped in');
      expect(stdout).toContain('5 models: 5 validated in');
    }
    expect(await below(folder, 'dist/models')).toEqual(swapped);
    const config = await readFile(folder.at('onnx-mish.config.ts'), 'utf8');
    await folder.write('onnx-mish.config.ts', config.replace('minSqnr: 3', 'minSqnr: 300'));
    expect((await shell('npm run models', folder)).code).toBe(1);
  });

  test('has a configuration that a strict compiler takes', async () => {
    const folder = await project();
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    // Libraries are checked at whole size only: that takes half a minute.
    const flags = `--noEmit --strict --module nodenext --skipLibCheck ${!isHeavy} --types node`;
    symlinkSync(join(root, 'node_modules', '@types'), folder.at('node_modules', '@types'));
    await folder.write('package.json', '{ "type": "module" }');
    const config = await readFile(folder.at('onnx-mish.config.ts'), 'utf8');
    await folder.write('wrong.config.ts', config.replace('outDir', 'outdir'));
    const files = 'onnx-mish.config.ts wrong.config.ts';
    const { code, stdout } = await shell(`node '${tsc}' --pretty false ${flags} ${files}`, folder);
    const errors = stdout.split('\n').filter((line) => /^\S.*: error /.test(line));
    expect([code, errors]).toEqual([1, [expect.stringMatching(/^wrong\.config\.ts\b/)]]);
    expect(stdout).toContain('outDir'); // the one that is meant
  });

  test('names the schema where it is in the package', () => {
    const [, path = ''] = /"\$schema": "\.\/node_modules\/onnx-mish\/([^"]+)"/.exec(section) ?? [];
    expect(path).toMatch(/schema\.json$/);
    expect(existsSync(join(packed, 'package', path))).toBe(true);
  });
});

/** A step's script on a machine of the matrix. */
function onMachine(script: string, shard: string): string {
  const filled = script.replace(/\$\{\{ matrix\.shard \}\}/g, shard);
  expect(filled).not.toContain('{{'); // there is no other expression
  return filled;
}

/** The steps of the one job: a parser of as much YAML as the workflow has. */
function stepsOf(yaml: string): { uses?: string | undefined; run?: string | undefined }[] {
  const [, text = ''] = yaml.split(/^ {4}steps:\n/m);
  return text
    .split(/^ {6}- /m)
    .slice(1)
    .map((step) => {
      const [, uses] = /^(?: {8})?uses: (.*)$/m.exec(step) ?? [];
      const [, line] = /^(?: {8})?run: (?!\|)(.*)$/m.exec(step) ?? [];
      const [, lines] = /^(?: {8})?run: \|\n((?: {10}.*\n)+)/m.exec(step) ?? [];
      return { uses, run: line ?? lines?.replace(/^ {10}/gm, '') };
    });
}
