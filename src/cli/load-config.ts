import { stat } from 'node:fs/promises';
import { extname, relative, resolve } from 'node:path';
import { createJiti } from 'jiti';
import { lilconfig } from 'lilconfig';
import type { z } from 'zod';
import { onFile } from '../node/errors.js';
import { messageOf, OnnxMishError } from '../onnx/error.js';
import { CONFIG_NAMES } from './apply-config.js';
import { type Config, configSchema } from './config-schema.js';
import * as helpers from './define-config.js';
import { nearest } from './nearest.js';

/** Loads and checks the configuration in a file or in a folder. Throws `io` or `bad-usage`, naming the key that is wrong. */
export async function loadConfig(place: string): Promise<{ path: string; config: Config }> {
  // Reads TypeScript, and modules of either kind; a configuration can import defineConfig also where the package is not.
  const jiti = createJiti(import.meta.url, {
    fsCache: false,
    virtualModules: { 'onnx-mish/config': helpers },
  });
  const run = (path: string): Promise<unknown> => jiti.import(path, { default: true });
  const kinds = CONFIG_NAMES.map((name) => extname(name)).filter((kind) => kind !== '.json');
  const loader = lilconfig('onnx-mish', {
    searchPlaces: CONFIG_NAMES,
    ignoreEmptySearchPlaces: false,
    stopDir: place,
    loaders: {
      ...Object.fromEntries(kinds.map((kind) => [kind, (path: string) => run(path).catch(cannotRun(path))])),
      '.json': async (path, content) =>
        Promise.resolve(content)
          .then((text): unknown => JSON.parse(text))
          .catch(cannotRun(path)),
    },
  });
  const found = await onFile(place, async () => {
    if ((await stat(place)).isDirectory()) return loader.search(resolve(place));
    if ([...kinds, '.json'].includes(extname(place))) return loader.load(place);
    throw new OnnxMishError('bad-usage', 'this is no configuration', {
      where: place,
      fix: 'Name a .ts, .js or .json file',
    });
  });
  const path = relative('', found?.filepath ?? place);
  return { path, config: check(found?.config ?? {}, path) };
}

/** Whatever a configuration throws when it is run or parsed is its own mistake. */
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
  if (!result.success) {
    const problems = result.error.issues.flatMap(problemsOf);
    throw new OnnxMishError('bad-usage', problems.map(({ what }) => what).join('; '), {
      where,
      fix:
        problems.find(({ fix }) => fix !== undefined)?.fix ?? 'Correct it, or leave it out with --no-config',
    });
  }
  for (const [name, section] of Object.entries(result.data)) {
    if (typeof section !== 'object' || !('form' in section && 'target' in section)) continue;
    throw new OnnxMishError('bad-usage', `${name}.form and ${name}.target exclude each other`, {
      where,
      fix: 'Keep one of them',
    });
  }
  return result.data;
}

function problemsOf(issue: z.core.$ZodIssue): { what: string; fix?: string | undefined }[] {
  const key = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((name) => {
      const full = (other: string) => [...issue.path, other].join('.');
      const meant = nearest(name, keysAt(issue.path));
      return {
        what: `there is no key '${full(name)}'`,
        fix:
          meant === undefined ? `There are ${keysAt(issue.path).join(', ')}` : `Did you mean ${full(meant)}`,
      };
    });
  }
  const named = key === '' ? 'it' : key;
  if (issue.code === 'invalid_value')
    return [{ what: `${named} has to be one of ${issue.values.join(', ')}` }];
  return [{ what: `${named}: ${issue.message.replace(/^Invalid input: /, '')}` }];
}

/** The keys that the schema has at a path, of which the configuration's own and those of its sections are wanted. */
function keysAt(path: readonly PropertyKey[]): string[] {
  const sections = configSchema.shape;
  if (path.length === 0) return Object.keys(sections).filter((name) => name !== '$schema');
  const name = String(path[0]);
  if (name === '$schema' || !(name in sections)) return [];
  return Object.keys(sections[name as Exclude<keyof typeof sections, '$schema'>].unwrap().shape);
}
