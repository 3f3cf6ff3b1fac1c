import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { readFactor } from '../../data/factor.js';
import { NOISE } from '../options/noise.js';
import { clean } from '../text/text.js';
import type { Config } from './config-schema.js';
import { configsIn, findConfig } from './find-config.js';

/** Keys whose value is a path relative to the configuration's folder. */
const PATHS = ['outDir', 'swappedDir', 'data', 'images', 'test', 'report', 'junit', 'browser'];

/** Returns whether the value of such a key is not a path: noise, or standard output. */
const isNoPath = (name: string, value: string) => value === '-' || (name === 'data' && value === NOISE);

/** Keys that are other names of options. */
const OTHER_NAMES: Readonly<Record<string, string>> = { fixRelu: 'fix' };

/** Options that only images have. */
const OF_IMAGES = ['images', 'size', 'resize', 'mean', 'std', 'layout', 'channels', 'limit'];

/**
 * Pairs of options that exclude each other, or of which one is for samples of another kind: an option of the command line
 * disables its rival in the configuration.
 */
const EXCLUSIVE = [
  ['form', 'target'],
  ['outDir', 'output'],
  ...['data', 'labels', 'targets', 'scale', 'dataLayout'].map((name) => ['images', name]),
  ...OF_IMAGES.map((name) => ['data', name]),
  ['labels', 'targets'],
  ['int8', 'to'],
  ['int8', 'plan'],
  ['report', 'html'],
  ['samples', 'runs'],
  ['samples', 'limit'],
  ['estimate', 'top'],
  ...['to', 'alpha', 'form', 'target', 'beta', 'leaky', 'only', 'include', 'exclude', 'keep'].map((name) => [
    'plan',
    name,
  ]),
];

/** Pair of options that exclude each other for some values or in one command, in the order of the values. */
interface Rivals {
  readonly pair: readonly [string, string];
  readonly exclude?: (first: unknown, second: unknown) => boolean;
  /** Name of the command; absent for all. */
  readonly command?: string;
}

/** Activations to write that have the option: a sharpness, one that `curved` chooses, and optimisers with a momentum. */
const WITH_BETA: readonly unknown[] = ['mish', 'swish', 'silu'];
const WITH_CURVED: readonly unknown[] = [...WITH_BETA, 'gelu', 'hardswish'];
const WITH_MOMENTUM: readonly unknown[] = ['rmsprop', 'sgd'];

const SOME_EXCLUSIVE: readonly Rivals[] = [
  ...['labels', 'targets', 'scale', 'dataLayout'].map(
    (name): Rivals => ({
      pair: ['data', name],
      exclude: (data) => data === NOISE,
    }),
  ),
  { pair: ['beta', 'curved'], exclude: (beta) => beta !== 'auto' },
  { pair: ['beta', 'keep'], exclude: (beta) => beta !== 'auto', command: 'calibrate' },
  { pair: ['int8', 'fold'], command: 'calibrate' },
  { pair: ['to', 'form'], exclude: (to) => to !== 'mish' },
  { pair: ['to', 'leaky'], exclude: (to) => to !== 'mish' },
  { pair: ['to', 'keep'], exclude: (to) => to !== 'mish', command: 'calibrate' },
  { pair: ['to', 'alpha'], exclude: (to) => to !== 'leakyrelu' },
  {
    pair: ['to', 'beta'],
    exclude: (to, beta) => (beta === 'auto' ? to !== 'mish' : beta !== 1 && !WITH_BETA.includes(to)),
  },
  { pair: ['to', 'curved'], exclude: (to) => !WITH_CURVED.includes(to) },
  { pair: ['loss', 'ignoreLabel'], exclude: (loss) => loss !== 'cross-entropy' },
  {
    pair: ['loss', 'labelSmoothing'],
    exclude: (loss, share) => loss !== 'cross-entropy' && share !== 0,
  },
  { pair: ['optimizer', 'momentum'], exclude: (optimizer) => !WITH_MOMENTUM.includes(optimizer) },
];

/**
 * Sets the options of a command from the configuration, except those of the command line. Throws as `loadConfig` does.
 */
export async function applyConfig(command: Command): Promise<void> {
  if (!command.options.some(({ long }) => long === '--config')) return;
  const { config: choice } = command.opts<{ config?: string | false }>();
  const place = choice === undefined ? nearestConfig() : choice;
  if (place === false) return;
  const { loadConfig } = await import('./load-config.js');
  const { config, path } = await loadConfig(place);
  const isChosen = choice !== undefined && resolve(place) === resolve(path);
  const others = isChosen ? [] : configsIn(resolve(dirname(path))).filter((other) => other !== resolve(path));
  for (const other of others) sayNotTaken(other, `'${path}' is beside it`);
  const section = config[command.name() as Exclude<keyof Config, '$schema'>] ?? {};
  const folder = dirname(path);
  for (const [key, value] of Object.entries(section)) {
    const name = OTHER_NAMES[key] ?? key;
    if (value === undefined || isGiven(command, name) || hasRival(command, name, value)) continue;
    if (name === 'test' && isOfOtherKind(command, section)) continue;
    command.setOptionValueWithSource(name, optionValue(name, value, folder), 'config');
  }
}

/** Returns whether the command line has an option, or another one that implies it. */
const isGiven = (command: Command, name: string) =>
  ['cli', 'implied'].includes(command.getOptionValueSource(name) ?? '');

/** Returns whether the samples of the command line are images and those of the configuration arrays, or the other way round. */
const isOfOtherKind = (command: Command, section: object) =>
  (isGiven(command, 'images') && 'data' in section) || (isGiven(command, 'data') && 'images' in section);

/** Returns whether the command line has an option that excludes this one of the configuration. */
function hasRival(command: Command, name: string, value: unknown): boolean {
  const always = EXCLUSIVE.some(
    (pair) => pair.includes(name) && pair.some((other) => other !== name && isGiven(command, other)),
  );
  return always || SOME_EXCLUSIVE.some((rivals) => applies(rivals, command, name, value));
}

function applies(
  { pair: [first, second], exclude = () => true, command: only }: Rivals,
  command: Command,
  name: string,
  value: unknown,
): boolean {
  const other = name === first ? second : name === second ? first : undefined;
  if (other === undefined || !isGiven(command, other) || (only ?? command.name()) !== command.name())
    return false;
  const given: unknown = command.getOptionValue(other);
  return name === first ? exclude(value, given) : exclude(given, value);
}

/** Returns the path of the nearest configuration, or false. Prints a line about one that is not trusted. */
function nearestConfig(): string | false {
  const { path, notTaken } = findConfig();
  if (notTaken !== undefined) sayNotTaken(notTaken.path, notTaken.why);
  return path ?? false;
}

function sayNotTaken(path: string, why: string): void {
  console.error(
    `${clean(relative('', path))}: not used, because ${clean(why)}; --config uses this file, --no-config stops the search`,
  );
}

/** Converts a value of the configuration to the value that the command line would give. */
function optionValue(name: string, value: unknown, folder: string): unknown {
  if (name === 'scale' && typeof value === 'string') return readFactor(value);
  if (name === 'models') return { patterns: value, folder };
  if (name === 'shape' || name === 'dim') {
    return Object.entries(value ?? {}).map(([key, size]) => `${key}=${[size].flat().join('x')}`);
  }
  const isPath = PATHS.includes(name) && typeof value === 'string' && !isNoPath(name, value);
  return isPath && !isAbsolute(value) ? join(folder, value) : value;
}
