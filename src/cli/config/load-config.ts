import { stat } from 'node:fs/promises';
import { extname, relative, resolve } from 'node:path';
import type { z } from 'zod';
import { messageOf, OnnxMishError } from '../../base/error.js';
import { plural } from '../../base/plural.js';
import { onFile } from '../../files/file-error.js';
import { isStream, readText, refuseLongText } from '../../files/read-stream.js';
import { nearest } from '../text/nearest.js';
import { type Config, configSchema, PROGRAM_KEYS } from './config-schema.js';
import * as helpers from './define-config.js';
import { CONFIG_NAMES, configsIn } from './find-config.js';

/**
 * Loads and checks the configuration in a file or folder; from a pipe, reads JSON. Throws `io`, or `bad-usage` with the
 * invalid key.
 */
export async function loadConfig(place: string): Promise<{ path: string; config: Config }> {
  const isFolder = (await onFile(place, () => stat(place))).isDirectory();
  const [found] = isFolder ? configsIn(resolve(place)) : [place];
  if (found === undefined) {
    throw new OnnxMishError('bad-usage', 'this folder has no configuration', {
      where: place,
      fix: `Name the file ${CONFIG_NAMES.join(', ')}`,
    });
  }
  const isData = extname(found) === '.json' || (await isStream(found));
  if (!isData && !CONFIG_NAMES.some((name) => extname(name) === extname(found))) {
    throw new OnnxMishError('bad-usage', 'this is not a configuration file', {
      where: place,
      fix: 'Name a .ts, .js or .json file',
    });
  }
  const path = relative('', found);
  if (!isData) await refuseLongText(found);
  const content = isData ? await readText(found) : undefined;
  const value = await (content === undefined ? run(resolve(found)) : parse(content)).catch(cannotRun(found));
  const config = check(value ?? {}, path);
  if (isData) refusePrograms(config, path);
  return { path, config };
}

const parse = async (content: string): Promise<unknown> => JSON.parse(content);

/** Runs a TypeScript, ES or CommonJS module. It can import defineConfig even if the package is not installed. */
async function run(path: string): Promise<unknown> {
  const { createJiti } = await import('jiti');
  const virtualModules = { 'onnx-mish/config': helpers };
  const jiti = createJiti(import.meta.url, { fsCache: false, virtualModules });
  return jiti.import(path, { default: true });
}

/** Throws `bad-usage` for a program in a JSON configuration: JSON is data and must not start programs. */
function refusePrograms(config: Config, where: string): void {
  for (const [section, options] of Object.entries(config)) {
    for (const key of PROGRAM_KEYS) {
      if (typeof options !== 'object' || !(key in options)) continue;
      throw new OnnxMishError(
        'bad-usage',
        `${section}.${key} names a program, which a JSON configuration must not`,
        {
          where,
          fix: `Name the program with --${key}, or in a TypeScript or JavaScript configuration`,
        },
      );
    }
  }
}

/** Returns a function that throws `bad-usage` for an error that a configuration caused when it was parsed or run. */
function cannotRun(path: string): (error: unknown) => never {
  return (error) => {
    const [what] = messageOf(error).split('\n');
    throw new OnnxMishError('bad-usage', `the configuration cannot be read: ${what}`, {
      where: relative('', path),
      fix: 'Correct it, or leave it out with --no-config',
      cause: error,
    });
  };
}

function check(config: unknown, where: string): Config {
  const result = configSchema.safeParse(config);
  if (result.success) return result.data;
  throw new OnnxMishError('bad-usage', result.error.issues.flatMap(problemsOf).join('; '), {
    where,
    fix: 'Correct it, or leave it out with --no-config',
  });
}

/** Describes the problems of an issue, with their keys. */
function problemsOf(issue: z.core.$ZodIssue): string[] {
  const key = issue.path.length === 0 ? 'the configuration' : issue.path.join('.');
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((name) => {
        const full = (other: string) => [...issue.path, other].join('.');
        const meant = nearest(name, keysAt(issue.path));
        return `the key '${full(name)}' does not exist${meant === undefined ? '' : ` (did you mean '${full(meant)}'?)`}`;
      });
    case 'invalid_value':
      return [`${key} has to be one of ${issue.values.join(', ')}`];
    case 'invalid_type': {
      const kind = { int: 'whole number', record: 'object', tuple: 'list', array: 'list' }[
        issue.expected as string
      ];
      return [`${key} has to be ${article(kind ?? issue.expected)}`];
    }
    case 'too_small':
      if (issue.origin === 'array')
        return [`${key} has to have at least ${plural(Number(issue.minimum), 'item')}`];
      return [`${key} has to be ${issue.inclusive === false ? 'above' : 'at least'} ${issue.minimum}`];
    case 'too_big':
      if (issue.origin === 'array')
        return [`${key} has to have at most ${plural(Number(issue.maximum), 'item')}`];
      return [`${key} has to be ${issue.inclusive === false ? 'below' : 'at most'} ${issue.maximum}`];
    default:
      return [`${key} ${issue.message}`];
  }
}

const article = (noun: string) => `${/^[aeio]/.test(noun) ? 'an' : 'a'} ${noun}`;

/** Returns the keys of the schema at a path: of the configuration itself, or of a section. */
function keysAt(path: readonly PropertyKey[]): string[] {
  const sections = configSchema.shape;
  if (path.length === 0) return Object.keys(sections).filter((name) => name !== '$schema');
  const name = String(path[0]);
  if (name === '$schema' || !(name in sections)) return [];
  return Object.keys(sections[name as Exclude<keyof typeof sections, '$schema'>].unwrap().shape);
}
