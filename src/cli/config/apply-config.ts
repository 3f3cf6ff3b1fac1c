import { dirname, isAbsolute, join, relative } from 'node:path';
import type { Command } from 'commander';
import { clean } from '../text/text.js';
import type { Config } from './config-schema.js';
import { findConfig } from './find-config.js';

/** Keys that name a file or a folder, and are meant from the configuration's own on. */
const PATHS = ['outDir', 'swappedDir', 'data', 'images', 'report', 'junit', 'browser'];

/** Values of these keys that name no file: noise, and standard output. */
const NO_PATHS = ['random', '-'];

/** Options that exclude each other: one of the command line puts those of the configuration aside. */
const EXCLUSIVE = [
  ['form', 'target'],
  ['outDir', 'output'],
  ['images', 'data'],
  ['images', 'labels'],
  ...['form', 'target', 'beta', 'leaky', 'only', 'include', 'exclude', 'keep'].map((name) => ['plan', name]),
];

/**
 * Gives a command the options that the configuration has for it, where the command line says nothing else. Nothing is loaded
 * where there is no configuration. Throws what `loadConfig` does.
 */
export async function applyConfig(command: Command): Promise<void> {
  if (!command.options.some(({ long }) => long === '--config')) return;
  const { config: choice } = command.opts<{ config?: string | false }>();
  const place = choice === undefined ? nearestConfig() : choice;
  if (place === false) return;
  const { loadConfig } = await import('./load-config.js');
  const { config, path } = await loadConfig(place);
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

/** The nearest configuration; one that is left where it is, is said in a line. */
function nearestConfig(): string | false {
  const { path, notTaken } = findConfig();
  if (notTaken !== undefined) {
    const where = clean(relative('', notTaken.path));
    console.error(
      `${where}: not taken, since ${clean(notTaken.why)}; --config takes it, --no-config stops the search`,
    );
  }
  return path ?? false;
}

/** A value of the configuration as the command line would have given it. */
function optionValue(name: string, value: unknown, folder: string): unknown {
  if (name === 'models') return { patterns: value, folder };
  if (name === 'shape' || name === 'dim') {
    return Object.entries(value ?? {}).map(([key, size]) => `${key}=${[size].flat().join('x')}`);
  }
  const path = PATHS.includes(name) && typeof value === 'string' && !isAbsolute(value);
  return path && !NO_PATHS.includes(value) ? join(folder, value) : value;
}
