import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { readFactor } from '../../data/factor.js';
import { clean } from '../text/text.js';
import type { Config } from './config-schema.js';
import { configsIn, findConfig } from './find-config.js';

/** Keys whose value is a path relative to the configuration's folder. */
const PATHS = ['outDir', 'swappedDir', 'data', 'images', 'test', 'report', 'junit', 'browser'];

/** Values of these keys that are not paths: noise, and standard output. */
const NO_PATHS = ['random', '-'];

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
  ['beta', 'curved'],
  ['samples', 'runs'],
  ['samples', 'limit'],
  ['estimate', 'top'],
  ...['to', 'alpha', 'form', 'target', 'beta', 'leaky', 'only', 'include', 'exclude', 'keep'].map((name) => [
    'plan',
    name,
  ]),
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
  const given = (name: string) => command.getOptionValueSource(name) === 'cli';
  for (const [name, value] of Object.entries(section)) {
    const rival = EXCLUSIVE.some(
      (pair) => pair.includes(name) && pair.some((other) => other !== name && given(other)),
    );
    if (value === undefined || given(name) || rival) continue;
    command.setOptionValueWithSource(name, optionValue(name, value, folder), 'config');
  }
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
  const path = PATHS.includes(name) && typeof value === 'string' && !isAbsolute(value);
  return path && !NO_PATHS.includes(value) ? join(folder, value) : value;
}
