import { chmod, chown, mkdir, truncate } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { Command } from 'commander';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { command as calibrate } from '../../src/cli/commands/calibrate.js';
import { command as doctor } from '../../src/cli/commands/doctor.js';
import { command as experiment } from '../../src/cli/commands/experiment.js';
import { command as finetune } from '../../src/cli/commands/finetune.js';
import { command as inspect } from '../../src/cli/commands/inspect.js';
import { command as rank } from '../../src/cli/commands/rank.js';
import { command as report } from '../../src/cli/commands/report.js';
import { command as retarget } from '../../src/cli/commands/retarget.js';
import { command as swap } from '../../src/cli/commands/swap.js';
import { command as ui } from '../../src/cli/commands/ui.js';
import { command as undo } from '../../src/cli/commands/undo.js';
import { command as validate } from '../../src/cli/commands/validate.js';
import { applyConfig } from '../../src/cli/config/apply-config.js';
import { configJsonSchema, configSchema, PROGRAM_KEYS } from '../../src/cli/config/config-schema.js';
import { defineConfig } from '../../src/cli/config/define-config.js';
import { loadConfig } from '../../src/cli/config/load-config.js';
import committed from '../../src/cli/config.schema.json' with { type: 'json' };
import { nearest } from '../../src/cli/text/nearest.js';
import { readFactor } from '../../src/data/factor.js';
import { hasSharpness } from '../../src/metrics/curved-share.js';
import { REPLACEMENTS } from '../../src/mish/activation-kinds.js';
import { replacementFor } from '../../src/mish/replacements.js';
import { cli, cliJson } from '../support/cli.js';
import { tempFolder } from '../support/folder.js';
import { failure, ops, reluModel } from '../support/graph.js';
import { needs } from '../support/needs.js';

const MODEL = reluModel();

/** A project with a model in models/, and the command run in it or in a folder of it. */
async function project(files: Record<string, string | object>) {
  const folder = await tempFolder();
  const all = { 'models/m.onnx': MODEL, ...files };
  for (const [name, content] of Object.entries(all)) {
    await mkdir(dirname(folder.at(name)), { recursive: true });
    const text = typeof content === 'string' || content instanceof Uint8Array;
    await folder.write(name, text ? content : JSON.stringify(content));
  }
  const run = (args: readonly string[], below = '.') => cli(args, { cwd: folder.at(below) });
  return { ...folder, run };
}

const EXP = { swap: { form: 'exp' } };
const FORMS = {
  'onnx-mish.config.json': EXP,
  'onnx-mish.config.js': `export default ${JSON.stringify(EXP)};`,
  'onnx-mish.config.mjs': `import { defineConfig } from 'onnx-mish/config';\nexport default defineConfig(${JSON.stringify(EXP)});`,
  'onnx-mish.config.cjs': `module.exports = ${JSON.stringify(EXP)};`,
  'onnx-mish.config.ts': `import { type Config, defineConfig } from 'onnx-mish/config';
    enum Form { Exp = 'exp' }
    const config: Config = { swap: { form: Form.Exp } } satisfies object as Config;
    export default defineConfig(config);`,
  'onnx-mish.config.mts': `export default ${JSON.stringify(EXP)} as const;`,
  'onnx-mish.config.cts': `const config: object = ${JSON.stringify(EXP)};\nmodule.exports = config;`,
};

test.each(Object.entries(FORMS))('%s is found and taken', async (name, content) => {
  const folder = await project({ [name]: content });
  expect(await folder.run(['swap', 'models/m.onnx'])).toMatchObject({ code: 0, stderr: '' });
  expect(ops(await folder.read('models/m.mish.onnx'))).toContain('Exp');
  // Nothing else has been left behind, a cache, say.
  expect(await folder.list()).toEqual(['models/', 'models/m.mish.onnx', 'models/m.onnx', name]);
});

test.each([[['.ts', '.json']], [['.js', '.json']], [['.mjs', '.cjs', '.json']], [['.mts', '.cts']]])(
  'of %j side by side the first is taken, and each other has a line',
  async (kinds) => {
    const names = kinds.map((kind) => `onnx-mish.config${kind}` as keyof typeof FORMS);
    const folder = await project(Object.fromEntries(names.map((name) => [name, FORMS[name]])));
    const [first = '', ...others] = names;
    const lines = (below: string) =>
      others.map(
        (name) =>
          `${below}${name}: not used, because '${below}${first}' is beside it; --config uses this file, --no-config stops the search\n`,
      );
    const args = ['swap', 'models/m.onnx', '--dry-run'];
    expect(await folder.run(args)).toMatchObject({ code: 0, stderr: lines('').join('') });
    const byFolder = await folder.run(['swap', 'm.onnx', '--dry-run', '--config', '..'], 'models');
    expect(byFolder).toMatchObject({ code: 0, stderr: lines('../').join('') });
    for (const name of names)
      expect(await folder.run([...args, '--config', name])).toMatchObject({ code: 0, stderr: '' });
    expect(await folder.run([...args, '--no-config'])).toMatchObject({ code: 0, stderr: '' });
  },
);

test('the command line overrides the configuration', async () => {
  const folder = await project({
    'onnx-mish.config.json': {
      swap: { form: 'exp', beta: 2, only: ['leakyrelu'], undo: false, outDir: 'dist', force: true },
    },
  });
  const swapped = async (...args: string[]) =>
    (await cliJson(['swap', 'models/m.onnx', '-o', 'out.onnx', '--dry-run', ...args], { cwd: folder.path }))
      .json;
  expect(await swapped()).toMatchObject({ form: 'exp', beta: 2, sites: [] });
  expect(await swapped('--form', 'native')).toMatchObject({ form: 'native', beta: 2 });
  expect(await swapped('--target', 'webgpu')).toMatchObject({ form: 'softplus' }); // which form would exclude
  expect(await swapped('--only', 'relu', '--beta', '3')).toMatchObject({ beta: 3, sites: [{}] });
  const plan = await swapped('--only', 'relu', '--no-config');
  expect(plan).toMatchObject({ form: 'softplus', beta: 1, sites: [{}] });
  await folder.write('plan.json', JSON.stringify(plan));
  expect(await swapped('--plan', 'plan.json')).toMatchObject({ form: 'softplus', beta: 1, sites: [{}] });
});

test('samples of the command line take the place of the configuration’s, with what belongs to those', async () => {
  const arrays = { data: 'a.npz', labels: 'y', scale: 0.5, dataLayout: 'nhwc' };
  const images = { images: 'set', mean: [0, 0, 0], std: [1, 1, 1], size: 8 };
  const folder = await project({
    'arrays.json': { rank: arrays, finetune: arrays, swap: arrays },
    'images.json': { rank: images, finetune: images, swap: images },
  });
  const stderr = async (...args: string[]) => (await folder.run(args)).stderr;
  for (const command of ['rank', 'finetune']) {
    const other = [command, 'models/m.onnx', '--config'];
    expect(await stderr(...other, 'arrays.json', '--images', 'none')).toMatch(/none: .*not exist/);
    const npz = ['--data', 'none.npz', '--labels', 'y'];
    expect(await stderr(...other, 'images.json', ...npz)).toMatch(/none\.npz: .*not exist/);
  }
  const targets = ['--config', 'arrays.json', '--targets', 't'];
  expect(await stderr('finetune', 'models/m.onnx', ...targets)).toMatch(/a\.npz: .*not exist/);
  const page = { ...arrays, report: 'r.html', keep: ['sqnr>=1'] };
  await folder.write('page.json', JSON.stringify({ swap: page }));
  const auto = ['swap', 'models/m.onnx', '--config', 'page.json', '--beta', 'auto'];
  expect(await stderr(...auto)).toMatch(/a\.npz: .*not exist/); // a report is for swaps without --beta auto
  expect(await stderr(...auto, '--report', 'r.html')).toContain('--report is for --keep without --beta auto');
  // Samples of the configuration are for swaps with --keep.
  expect(await stderr('swap', 'models/m.onnx', '--config', 'arrays.json', '--dry-run')).toBe('');
});

test('the factor of samples is a number or a quotient, as on the command line', async () => {
  const folder = await project({ 'c.json': { validate: { scale: '1/255' } } });
  const command = new Command('validate').option('--config <file>').option('--scale <factor>');
  command.parse(['--config', folder.at('c.json')], { from: 'user' });
  await applyConfig(command);
  expect(command.opts().scale).toBe(1 / 255);
  for (const scale of ['1/0', '0/255', '255', 'a/b', '1/2/3', '']) {
    await folder.write('c.json', JSON.stringify({ validate: { scale } }));
    const { code, stderr } = await folder.run(['validate', 'models/m.onnx', '--config', 'c.json']);
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/validate\.scale has to be a number other than 0, or a quotient/),
    ]);
  }
});

/** What the configuration gives a command with these arguments. */
async function optionsWith(make: () => Command, section: Record<string, unknown>, args: readonly string[]) {
  const folder = await tempFolder();
  const called = make().exitOverride();
  await folder.write('c.json', JSON.stringify({ [called.name()]: section }));
  called.action(() => {});
  called.parse(['m.onnx', ...args, '--config', folder.at('c.json')], { from: 'user' });
  await applyConfig(called);
  return called;
}

const COMMANDS = { swap, inspect, validate, calibrate, finetune, experiment, rank };
/** Values of options that exclude others. */
const GIVEN: Readonly<Record<string, string | boolean | number>> = {
  ...{ form: 'exp', target: 'wasm', to: 'gelu', int8: 'exact', alpha: 0.1, beta: 2, leaky: 'mish' },
  ...{ top: 3, estimate: true, fold: true, images: 'set', labels: 'y', data: 'a.npz', outDir: 'dist' },
};
const LISTS = ['only', 'include', 'exclude', 'keep'];

test('an option disables the options of the configuration that it conflicts with', async () => {
  let pairs = 0;
  for (const make of Object.values(COMMANDS)) {
    const { options } = make();
    const section = configSchema.shape[make().name() as 'swap'].unwrap().shape;
    const rivals = new Map<string, Set<string>>();
    for (const option of options) {
      const { conflictsWith } = option as unknown as { conflictsWith: string[] };
      for (const other of conflictsWith)
        for (const [
          given,
          configured,
        ] of [[option.attributeName(), other], [other, option.attributeName()]] as const) // biome-ignore format: one line
          if (configured in section) rivals.set(given, (rivals.get(given) ?? new Set()).add(configured));
    }
    for (const [given, others] of rivals) {
      const value = LISTS.includes(given) ? 'relu' : (GIVEN[given] ?? 'f');
      const flag = options.find((option) => option.attributeName() === given)?.long ?? given;
      // A configuration has a form or a target.
      for (const names of [
        [...others].filter((name) => name !== 'target'),
        others.has('target') ? ['target'] : [],
      ]) {
        const configured = names.map((name) => [name, LISTS.includes(name) ? ['relu'] : GIVEN[name]]);
        const args = value === true ? [flag] : [flag, String(value)];
        const called = await optionsWith(make, Object.fromEntries(configured), args);
        for (const name of names)
          expect(called.getOptionValueSource(name), `${called.name()} ${flag}, ${name}`).not.toBe('config');
        pairs += names.length;
      }
    }
  }
  expect(pairs).toBeGreaterThan(30);
});

test.each([
  ['calibrate', '--beta 1', { beta: 'auto', keep: ['sqnr>=30'] }, {}],
  ['calibrate', '--beta auto', { beta: 1, keep: ['sqnr>=30'] }, { keep: ['sqnr>=30'] }],
  ['calibrate', '--beta auto', { curved: 0.5 }, { curved: 0.5 }],
  ['calibrate', '--beta 2', { curved: 0.5 }, {}],
  ['calibrate', '--curved 0.5', { beta: 2 }, {}],
  ['calibrate', '--curved 0.5', { beta: 'auto', keep: ['sqnr>=30'] }, { beta: 'auto', keep: ['sqnr>=30'] }],
  ['calibrate', '--fold', { int8: 'exact' }, {}],
  ['swap', '--beta 4', { keep: ['sqnr>=30'], fold: true }, { keep: ['sqnr>=30'], fold: true }],
  ['swap', '--int8 exact', { fold: true }, { fold: true }],
  ...(['swap', 'inspect', 'validate', 'calibrate', 'rank'] as const).map(
    (name) => [name, '--data random', { labels: 'y', scale: 2, dataLayout: 'nhwc' }, {}] as const,
  ),
  ['finetune', '--optimizer adam', { optimizer: 'sgd', momentum: 0.9 }, {}],
  ['finetune', '--optimizer sgd', { momentum: 0.9 }, { momentum: 0.9 }],
  ...(['finetune', 'experiment'] as const).flatMap(
    (name) =>
      [
        [name, '--loss mse', { ignoreLabel: 255, labelSmoothing: 0.1 }, {}],
        [
          name,
          '--loss cross-entropy',
          { ignoreLabel: 255, labelSmoothing: 0.1 },
          { ignoreLabel: 255, labelSmoothing: 0.1 },
        ],
        [name, '--label-smoothing 0.1', { loss: 'bce' }, {}],
        [name, '--label-smoothing 0', { loss: 'bce' }, { loss: 'bce' }],
        [name, '--ignore-label 255', { loss: 'mse' }, {}],
      ] as const,
  ),
  ['calibrate', '--to gelu', { beta: 1, form: 'exp' }, { beta: 1 }],
  ['calibrate', '--to gelu', { beta: 'auto', keep: ['sqnr>=30'] }, {}],
  ['rank', '--data b.npz', { data: 'a.npz', labels: 'y', scale: 2 }, { labels: 'y', scale: 2 }],
  ...(['finetune', 'experiment'] as const).flatMap(
    (name) =>
      [
        // Samples for the test are of the kind of the others.
        [name, '--images set', { data: 'a.npz', labels: 'y', test: 'b.npz' }, {}],
        [name, '--data a.npz --labels y', { images: 'set', test: 'other' }, {}],
        [name, '--data a.npz', { data: 'c.npz', labels: 'y', test: 'b.npz' }, { labels: 'y', test: 'b.npz' }],
        [name, '--images set', { test: 'other' }, { test: 'other' }],
      ] as const,
  ),
] as const)('%s %s takes of %j only what goes with it', async (name, args, section, rest) => {
  const called = await optionsWith(COMMANDS[name], section, args.split(' '));
  const taken = Object.keys(section).filter((name) => called.getOptionValueSource(name) === 'config');
  expect(taken).toEqual(Object.keys(rest));
});

test.each(['swap', 'calibrate'] as const)(
  'of the options of an activation, %s --to takes those of a configuration that the activation has',
  async (name) => {
    const section = configSchema.shape[name].unwrap().shape;
    const all = Object.entries({ form: 'exp', leaky: 'mixture', alpha: 0.1, beta: 2, curved: 0.5 });
    const known = all.filter(([option]) => option in section);
    const hasOption = (to: string, option: string, value: unknown) =>
      option === 'curved'
        ? hasSharpness(to === 'silu' ? 'swish' : to)
        : !throws(() => replacementFor(to, { [option]: value }));
    for (const to of [...REPLACEMENTS, 'silu']) {
      const called = await optionsWith(COMMANDS[name], Object.fromEntries(known), ['--to', to]);
      for (const [option, value] of known)
        expect(called.getOptionValueSource(option) === 'config', `${to} ${option}`).toBe(
          hasOption(to, option, value),
        );
    }
    for (const to of ['mish', 'leakyrelu', 'gelu'])
      for (const [option, value] of known) {
        const called = await optionsWith(COMMANDS[name], { to }, [`--${option}`, `${value}`]);
        expect(called.getOptionValueSource('to') === 'config', `${to} ${option}`).toBe(
          hasOption(to, option, value),
        );
      }
  },
);

test.each([
  [[], { fixRelu: true }, true],
  [[], { fixRelu: false }, false],
  [['--fix-relu'], { fix: false }, true],
  [['--fix-relu'], { fixRelu: false }, true],
  [['--no-fix'], { fixRelu: true }, false],
] as const)('of the names of an option, %j goes before %j', async (args, section, fix) => {
  const called = await optionsWith(retarget, section, args);
  expect(called.opts().fix).toBe(fix);
});

test.each([
  ['inspect', { data: 'a.npz' }, ['--data', 'a.npz']],
  ['inspect', { images: 'set', size: 8 }, ['--images', 'set']],
  ['validate', { report: 'r.html', latency: false, dim: { N: 1 } }, ['--report', 'r.html']],
] as const)(
  '%s of many models leaves out %j, which is for one model at a time',
  async (name, section, args) => {
    const folder = await project({ 'models/n.onnx': MODEL as never, 'c.json': { [name]: section } });
    const many = [name, 'models/*.onnx', '--config', 'c.json'];
    const { code, stdout, stderr } = await folder.run(many);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('2 models: 2');
    expect(await folder.run([...many, ...args])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`${args[0]} is for one model at a time`),
    });
    expect(await folder.list()).not.toContain('r.html');
  },
);

test('only samples can be random: folders and files may have that name', async () => {
  const called = await optionsWith(swap, { data: 'random', outDir: 'random', report: 'random' }, []);
  const { data, outDir, report } = called.opts();
  expect(data).toBe('random');
  expect([outDir, report]).toEqual([expect.stringMatching(/.random$/), outDir]);
});

function throws(work: () => unknown): boolean {
  try {
    work();
    return false;
  } catch {
    return true;
  }
}

test('the factor of a configuration is one that the command line takes', async () => {
  const { scale } = configSchema.shape.validate.unwrap().shape;
  const part = fc.constantFrom('1', '255', '0', '0.5', '-1', '1e-3', '2.5', '', 'x', ' 4 ');
  fc.assert(
    fc.property(fc.array(part, { minLength: 2, maxLength: 3 }), (parts) => {
      const text = parts.join('/');
      expect(scale.safeParse(text).success, text).toBe(readFactor(text) !== undefined);
    }),
    { seed: 11, numRuns: 200 },
  );
  for (const number of [0, -0, 1, -2, 0.5])
    expect(scale.safeParse(number).success, `${number}`).toBe(readFactor(`${number}`) !== undefined);
});

test('a configuration takes no number that the command line refuses', () => {
  const numbers = [-300, -1, 0, 0.3, 1, 1.5, 2, 3, 255, 1e6];
  const values = numbers.flatMap((number) => [number, [number, number, number]]);
  const taken: string[] = [];
  for (const make of Object.values(COMMANDS)) {
    const called = make();
    const shape: Readonly<Record<string, { safeParse(value: unknown): { success: boolean } }>> =
      configSchema.shape[called.name() as 'swap'].unwrap().shape;
    for (const option of called.options) {
      const type = shape[option.attributeName()];
      const { parseArg, long } = option;
      if (type === undefined || parseArg === undefined) continue;
      for (const value of values.filter((one) => type.safeParse(one).success)) {
        const text = `${called.name()} ${long} ${value}`;
        expect(
          throws(() => parseArg(String(value), undefined)),
          text,
        ).toBe(false);
        taken.push(text);
      }
    }
  }
  expect(taken.length).toBeGreaterThan(300);
});

test('models and paths are relative to the configuration’s folder, wherever the command runs', async () => {
  const folder = await project({
    'package.json': {},
    'models/sub/n.onnx': MODEL.slice() as unknown as string,
    'models/old/o.onnx': 'broken',
    'src/deep/file': '',
    'onnx-mish.config.json': {
      swap: { models: ['models/**/*.onnx', '!models/old/**'], outDir: 'dist/models', target: 'webgl' },
    },
  });
  const { code, stdout, stderr } = await folder.run(['swap', '--json'], 'src/deep');
  expect([code, stderr]).toEqual([0, '']);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.map(({ input, output, form }) => [input, output, form])).toEqual([
    ['../../models/m.onnx', '../../dist/models/m.mish.onnx', 'exp'],
    ['../../models/sub/n.onnx', '../../dist/models/sub/n.mish.onnx', 'exp'],
  ]);
  // Models on the command line take the place of the configuration's; its folder stays.
  await folder.write('src/deep/own.onnx', MODEL);
  expect((await folder.run(['swap', 'own.onnx'], 'src/deep')).code).toBe(0);
  expect(await folder.list()).toContain('dist/models/own.mish.onnx');
});

test('--config takes another configuration, and --no-config takes none', async () => {
  const folder = await project({
    'onnx-mish.config.json': EXP,
    'ci/other.json': { swap: { form: 'native', outDir: 'out' } },
    'ci/onnx-mish.config.js': 'export default { swap: { beta: 4 } }',
  });
  const form = async (...args: string[]) =>
    (await cliJson(['swap', 'models/m.onnx', '--dry-run', ...args], { cwd: folder.path })).json;
  expect(await form()).toMatchObject({ form: 'exp' });
  expect(await form('--no-config')).toMatchObject({ form: 'softplus' });
  expect(await form('--config', 'ci')).toMatchObject({ form: 'softplus', beta: 4 });
  expect((await folder.run(['swap', 'models/m.onnx', '--config', 'ci/other.json'])).code).toBe(0);
  expect(await folder.list()).toContain('ci/out/m.mish.onnx');
});

test('a configuration is searched upwards as far as the package, and not at all without a package', async () => {
  const bad = { swap: { nonsense: 1 } };
  const inside = await project({
    'onnx-mish.config.json': bad,
    'package/package.json': {},
    'package/m.onnx': MODEL as never,
  });
  expect((await inside.run(['swap', 'm.onnx'], 'package')).code).toBe(0);
  const bare = await project({ 'onnx-mish.config.json': bad, 'folder/m.onnx': MODEL as never });
  expect((await bare.run(['swap', 'm.onnx'], 'folder')).code).toBe(0);
  await bare.write('package.json', '{}');
  expect((await bare.run(['swap', 'm.onnx', '--force'], 'folder')).stderr).toContain(
    "../onnx-mish.config.json: the key 'swap.nonsense' does not exist",
  );
});

test('validate takes its thresholds from the configuration', async () => {
  const folder = await project({
    'onnx-mish.config.json': {
      validate: {
        maxAbs: 1e-6,
        latency: false,
        runs: 1,
        dim: { N: 1 },
        report: 'report.html',
        providers: ['cpu'],
      },
    },
  });
  const { code, stdout } = await folder.run(['validate', 'models/m.onnx', '--json']);
  expect(code).toBe(1);
  expect(JSON.parse(stdout).verdicts).toContainEqual(
    expect.objectContaining({ threshold: 'maxAbs', limit: 1e-6, passed: false }),
  );
  expect(await folder.list()).toContain('report.html');
  expect((await folder.run(['validate', 'models/m.onnx', '--max-abs', '9', '--force'])).code).toBe(0);
});

test.each([
  [{ swap: { targett: 'webgl' } }, "the key 'swap.targett' does not exist (did you mean 'swap.target'?)"],
  [{ swop: {} }, "the key 'swop' does not exist (did you mean 'swap'?)"],
  [{ swap: { 'out-dir': 'x' } }, "the key 'swap.out-dir' does not exist (did you mean 'swap.outDir'?)"],
  [
    { swap: { quasi: 1, different: 2 } },
    "the key 'swap.quasi' does not exist; the key 'swap.different' does not exist",
  ],
  [{ swap: { form: 'swish' } }, 'swap.form has to be one of softplus, exp, native'],
  [{ swap: { form: 'exp', target: 'cpu' } }, 'swap.target and form exclude each other'],
  [
    { swap: { only: ['relu', 'selu'] } },
    'swap.only.1 has to be one of relu, leakyrelu, prelu, elu, hardswish',
  ],
  [{ swap: { models: 'a.onnx' } }, 'swap.models has to be a list'],
  [{ swap: { beta: 'large' } }, 'swap.beta has to be a number above 0, or auto'],
  [{ swap: { jobs: 0 } }, 'swap.jobs has to be at least 1'],
  [{ swap: { jobs: 1.5 } }, 'swap.jobs has to be a whole number'],
  [{ swap: { dim: { N: 'all' } } }, 'swap.dim.N has to be a number'],
  [{ validate: { minAgreement: 99 } }, 'validate.minAgreement has to be at most 1'],
  [{ validate: { timeout: 0 } }, 'validate.timeout has to be above 0'],
  [{ validate: { mean: [1, 2] } }, 'validate.mean has to have at least 3 items'],
  [{ validate: { std: [1, 1, 1, 1] } }, 'validate.std has to have at most 3 items'],
  [{ validate: { providers: [] } }, 'validate.providers has to have at least 1 item'],
  [{ undo: { force: 'yes' } }, 'undo.force has to be a boolean'],
  [[], 'the configuration has to be an object'],
  ['no object', 'the configuration has to be an object'],
])('%j is refused by the name of its key', async (config, what) => {
  const folder = await project({ 'onnx-mish.config.json': JSON.stringify(config) });
  const file = folder.at('onnx-mish.config.json');
  expect(await failure(loadConfig(file))).toMatchObject({
    code: 'bad-usage',
    where: relative('', file),
    what: expect.stringContaining(what),
  });
});

test('a refused configuration writes no file', async () => {
  const folder = await project({ 'onnx-mish.config.json': { swap: { targett: 'webgl' } } });
  const { code, json, stderr } = await cliJson(['swap', 'models/m.onnx'], { cwd: folder.path });
  expect(code).toBe(2);
  expect(json.error).toMatchObject({ code: 'bad-usage', where: 'onnx-mish.config.json' });
  expect(stderr).toBe(
    "onnx-mish: onnx-mish.config.json: the key 'swap.targett' does not exist (did you mean 'swap.target'?)\n  Correct it, or leave it out with --no-config.\n",
  );
  expect(await folder.list()).not.toContain('models/m.mish.onnx');
});

test.each([
  ['onnx-mish.config.json', '{ "swap": ', 'JSON'],
  ['onnx-mish.config.ts', 'export default { swap: { ', 'Unexpected token'],
  ['onnx-mish.config.mjs', 'throw new Error("not today");', 'not today'],
  ['onnx-mish.config.js', 'import "./nowhere.js"; export default {};', 'nowhere'],
])('%s that cannot be run or parsed gives an error', async (name, content, what) => {
  const folder = await project({ [name]: content });
  const { code, stderr } = await folder.run(['swap', 'models/m.onnx']);
  expect(code).toBe(2);
  expect(stderr).toMatch(
    new RegExp(`^onnx-mish: ${name}: the configuration cannot be read: .*${what}.*\n  Correct it,.*\n$`),
  );
});

test.each(['onnx-mish.config.json', 'onnx-mish.config.ts', 'onnx-mish.config.cjs'])(
  '%s that is too long for a string is refused by its size',
  async (name) => {
    const folder = await project({ [name]: '' });
    await truncate(folder.at(name), 2 ** 30);
    const { code, stderr } = await folder.run(['swap', 'models/m.onnx']);
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(
        /^onnx-mish: \S+: the file has 1,073,741,824 bytes or more, and the limit is .*\n {2}Check the path/,
      ),
    ]);
  },
);

test('JSON never starts a program; a configuration in code may name one, relative to its folder', async () => {
  const sample = (key: string) => ({ validate: { [key]: './browser.sh', providers: ['wasm'] } });
  const folder = await project({
    'package.json': {},
    'browser.sh': '#!/bin/sh\ntouch "$(dirname "$0")/ran"\n',
    'data/onnx-mish.config.json': sample('browser'),
    'code/onnx-mish.config.mjs': `export default ${JSON.stringify(sample('browser'))};`,
    'code/browser.sh': '#!/bin/sh\ntouch "$(dirname "$0")/ran"\n',
    'code/deep/file': '',
  });
  await Promise.all(['browser.sh', 'code/browser.sh'].map((path) => chmod(folder.at(path), 0o755)));
  const validate = ['validate', folder.at('models/m.onnx'), '--dim', 'N=1', '--no-latency'];
  const refused =
    /validate\.browser names a program, which a JSON configuration must not\n {2}Name the program with --browser/;
  expect((await folder.run([...validate], 'data')).stderr).toMatch(refused);
  expect((await folder.run([...validate, '--config', 'data'])).stderr).toMatch(refused);
  const piped = await cli([...validate, '--config', '/dev/stdin'], {
    cwd: folder.path,
    input: JSON.stringify(sample('browser')),
  });
  expect(piped.stderr).toMatch(refused);
  expect(await folder.list()).not.toContain('ran');
  await folder.run([...validate, '--config', '../onnx-mish.config.mjs'], 'code/deep');
  const there = await folder.list();
  expect([there.includes('code/ran'), there.includes('ran')]).toEqual([true, false]);
});

test('every key that takes text is listed as a name, as data, or as a program', () => {
  const names = [
    'labels',
    'targets',
    'head',
    'form',
    'target',
    'leaky',
    'layout',
    'channels',
    'bn',
    '$schema',
  ];
  const data = ['outDir', 'swappedDir', 'data', 'images', 'test', 'report', 'junit', 'beta'];
  for (const section of Object.values(configSchema.shape)) {
    const inner = section.unwrap();
    if (!('shape' in inner)) continue;
    for (const [key, type] of Object.entries(inner.shape)) {
      if (!type.safeParse('auto').success && !type.safeParse('exp').success) continue;
      expect([...names, ...data, ...PROGRAM_KEYS], key).toContain(key);
    }
  }
});

describe('above the current folder', () => {
  needs(process.platform !== 'win32', 'Windows has other rights');

  const bad = { swap: { nonsense: 1 } };
  const NOBODY = 65534;
  const isRoot = process.getuid?.() === 0;
  /** What becomes of a configuration in top/ for a command in top/a/b, where package.json is in top/. */
  async function taken(prepare: (at: (path: string) => string) => Promise<unknown>) {
    const folder = await project({
      'top/package.json': {},
      'top/onnx-mish.config.json': bad,
      'top/a/b/m.onnx': MODEL as never,
    });
    await prepare(folder.at);
    const { code, stderr } = await folder.run(['swap', 'm.onnx'], 'top/a/b');
    return { code, stderr };
  }
  const line = (why: string) =>
    `../../onnx-mish.config.json: not used, because ${why}; --config uses this file, --no-config stops the search\n`;

  test('a configuration is read from a folder where only the user may write', async () => {
    expect((await taken(async () => {})).stderr).toContain("the key 'swap.nonsense' does not exist");
  });

  test.each([0o775, 0o757, 0o777, 0o1777])(
    'none from a folder of mode %o, or from above it',
    async (mode) => {
      const top = await taken((at) => chmod(at('top'), mode));
      expect(top).toEqual({ code: 0, stderr: line("other users may write to '../..'") });
      const between = await taken((at) => chmod(at('top/a'), mode));
      expect(between).toEqual({ code: 0, stderr: line("other users may write to '..'") });
    },
  );

  test('a configuration that others may write to is ignored', async () => {
    const { code, stderr } = await taken((at) => chmod(at('top/onnx-mish.config.json'), 0o666));
    expect([code, stderr]).toEqual([0, line("other users may write to '../../onnx-mish.config.json'")]);
  });

  test('a configuration of another user is ignored', async ({ skip }) => {
    skip(!isRoot, 'only the superuser can give a file away');
    const folder = await taken((at) => chown(at('top'), NOBODY, NOBODY));
    expect(folder).toEqual({ code: 0, stderr: line("'../..' belongs to another user") });
    const file = await taken((at) => chown(at('top/onnx-mish.config.json'), NOBODY, NOBODY));
    expect(file.stderr).toBe(line("'../../onnx-mish.config.json' belongs to another user"));
  });

  test('a configuration above the repository is ignored', async () => {
    for (const place of ['top/a/.git', 'top/a/b/.git']) {
      const { code, stderr } = await taken((at) => mkdir(at(place)));
      expect([code, stderr]).toEqual([0, line('it lies above the repository')]);
    }
    const root = await taken((at) => mkdir(at('top/.git')));
    expect(root.stderr).toContain("the key 'swap.nonsense' does not exist");
  });

  test('the configuration of --config and the one in the current folder are read', async () => {
    const folder = await project({ 'open/onnx-mish.config.json': bad });
    await chmod(folder.at('open'), 0o777);
    expect((await folder.run(['swap', 'models/m.onnx', '--config', 'open'])).code).toBe(2);
    expect((await folder.run(['swap', '../models/m.onnx'], 'open')).code).toBe(2);
  });
});

test('the name nearest to an unknown key is found', () => {
  expect(nearest('inlcude', ['include', 'exclude'])).toBe('include');
  expect(nearest('form', ['form'])).toBe('form');
  expect(nearest('zzz', ['form', 'only'])).toBe(undefined);
  expect(nearest('x', [])).toBe(undefined);
});

interface Schema {
  description?: string;
  properties?: Record<string, Schema>;
  additionalProperties?: unknown;
}

describe('the schema', () => {
  test('in the repository is the schema that the code makes', () => {
    expect(committed).toEqual(JSON.parse(JSON.stringify(configJsonSchema())));
  });

  test('describes every key, and allows no other', () => {
    const sections = Object.entries((committed as Schema).properties ?? {}).filter(
      ([name]) => name !== '$schema',
    );
    expect(sections).toHaveLength(12);
    for (const [name, section] of sections) {
      expect(section.additionalProperties, name).toBe(false);
      for (const [key, { description }] of Object.entries(section.properties ?? {})) {
        expect(description, `${name}.${key}`).toMatch(/\w/);
      }
    }
    expect((committed as Schema).additionalProperties).toBe(false);
  });

  // What is for one run only.
  const ONCE = ['config', 'json', 'debug', 'output', 'shard', 'dryRun', 'plan', 'resume', 'export', 'worker'];
  // What a configuration must not decide: to install packages, and who can reach the workbench. `html` is an earlier name.
  const NEVER = ['install', 'yes', 'host', 'html'];

  test.each(
    Object.entries({
      swap,
      inspect,
      undo,
      retarget,
      validate,
      calibrate,
      finetune,
      experiment,
      rank,
      report,
      ui,
      doctor,
    }),
  )('has the options of %s', (name, command: () => Command) => {
    const options = command().options.map((option) => option.attributeName());
    const wanted = new Set(options.filter((option) => ![...ONCE, ...NEVER].includes(option)));
    const section = configSchema.shape[name as 'swap'].unwrap().shape;
    expect(new Set(Object.keys(section).filter((key) => key !== 'models'))).toEqual(wanted);
  });
});

test('calibrate, rank and finetune take options from the configuration, with paths relative to its folder', async () => {
  const folder = await project({
    'data/x.npz': 'no archive',
    'onnx-mish.config.json': {
      calibrate: { data: 'data/nowhere.npz', report: 'r.html' },
      rank: { data: 'data/nowhere.npz', samples: 3 },
      finetune: { data: 'data/nowhere.npz', labels: 'y' },
    },
    'below/file': '',
    'package.json': {},
  });
  for (const command of ['calibrate', 'rank', 'finetune']) {
    const { code, stderr } = await folder.run([command, '../models/m.onnx'], 'below');
    expect([code, stderr]).toEqual([2, expect.stringContaining('../data/nowhere.npz: ')]);
    const none = await folder.run([command, '../models/m.onnx', '--no-config'], 'below');
    expect(none.stderr).toMatch(/needs (labelled )?samples/);
  }
});

test('types list the keys', () => {
  expect(defineConfig({ swap: { form: 'exp', mean: [0.5, 0.5, 0.5] } })).toEqual({
    swap: { form: 'exp', mean: [0.5, 0.5, 0.5] },
  });
  // @ts-expect-error not a form
  defineConfig({ swap: { form: 'swish' } });
  // @ts-expect-error not a key
  defineConfig({ swap: { targett: 'webgl' } });
});
