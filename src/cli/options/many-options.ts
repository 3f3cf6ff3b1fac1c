import { isAbsolute, join } from 'node:path';
import { type Command, Option } from 'commander';
import { OnnxMishError } from '../../base/error.js';
import { lineEach } from '../text/say.js';
import { flagOf } from './flag-of.js';
import { GROUPS } from './groups.js';
import { some } from './options.js';
import { isGlob, type Patterns } from './patterns.js';
import { type Shard, shardOption } from './shard.js';

/** Values of `manyOptions`, from the command line and the configuration. */
export interface ManyFlags {
  readonly outDir?: string | undefined;
  readonly jobs?: number | undefined;
  readonly shard?: Shard | undefined;
  readonly failFast?: boolean | undefined;
  /** File for JUnit XML; of `validate` for a single model, too. */
  readonly junit?: string | undefined;
  /** Models of a configuration. */
  readonly models?: Patterns | undefined;
}

/** Models of a command: a single model, or patterns of many. */
export type Chosen = { readonly one: string } | { readonly many: Patterns };

/** Adds the argument `models` and the options for many models to a command. */
export function manyOptions(command: Command, { writes = true, pipes = true } = {}): Command {
  const pipe = pipes ? '; - is standard input' : '';
  command.optionsGroup(GROUPS.many).argument('[models...]', `ONNX files, or globs in quotes${pipe}`);
  if (writes) {
    command.addOption(
      new Option(
        '--out-dir <folder>',
        'write below this folder, with the folders below the glob’s',
      ).conflicts('output'),
    );
  }
  return command
    .option('--jobs <number>', `models to process at the same time (default: ${JOBS})`, some)
    .addOption(shardOption('models'))
    .addOption(failFastOption())
    .option('--junit <file>', 'write JUnit XML, a case for each model; - is standard output');
}

/** Returns --fail-fast. */
export function failFastOption(): Option {
  return new Option('--fail-fast', 'stop at the first model that fails');
}

/** Default number of models at the same time. More were not faster, since the disk is the limit. */
export const JOBS = 4;

/** Help text about many models, for the help of a command. */
export const MANY_HELP = `
Many models: globs are expanded by onnx-mish itself (** at any depth, !glob leaves out), so quote them; they take no files
of an earlier run and none of node_modules. A model that fails does not stop the others. At the end comes a table, or with
--json a line of JSON for each model; the exit code is the largest of all models. --shard sorts models by path and deals
them out.`;

/** Returns a single model, or the patterns of many. Throws `bad-usage` without a model, or for options that conflict. */
export function chooseModels(
  args: readonly string[],
  flags: ManyFlags & { readonly output?: string | undefined },
  command: Command,
): Chosen {
  const patterns = args.length > 0 ? { patterns: args, folder: '.' } : flags.models;
  const [first, ...others] = patterns?.patterns ?? [];
  if (patterns === undefined || first === undefined) {
    return command.error("error: missing required argument 'model'", { code: 'commander.missingArgument' });
  }
  const cases = command.name() === 'validate' ? ([] as const) : (['junit'] as const);
  const forMany = ['outDir', 'shard', ...cases] as const;
  if (first === '-' && others.length === 0) {
    const asked = forMany.find((name) => command.getOptionValueSource(name) === 'cli');
    if (asked === undefined) return { one: first };
    const flag = flagOf(command, asked);
    throw new OnnxMishError('bad-usage', `${flag} is for files`, {
      where: 'standard input',
      fix: asked === 'outDir' ? 'Give the output with -o' : `Leave out ${flag}, or name a file`,
    });
  }
  const single = others.length === 0 && !isGlob(first, patterns.folder);
  if (single && forMany.every((name) => flags[name] === undefined)) {
    const plain = patterns.folder === '.' || isAbsolute(first);
    return { one: plain ? first : join(patterns.folder, first) };
  }
  lineEach();
  if (flags.outDir === '-') throw notAFolder('--out-dir');
  if (patterns.patterns.includes('-')) {
    throw new OnnxMishError('bad-usage', 'standard input cannot be one of many models', {
      fix: 'Name files only',
    });
  }
  if (flags.output !== undefined) {
    throw new OnnxMishError('bad-usage', '-o names one file, and there may be many models', {
      where: flags.output,
      fix: 'Name a folder with --out-dir',
    });
  }
  return { many: patterns };
}

/** Returns the error for `-` as a folder: standard output takes a single file. */
export function notAFolder(option: string): OnnxMishError {
  return new OnnxMishError('bad-usage', `${option} needs a folder, and - is standard output`, {
    fix: 'Name a folder (./- for a folder called -)',
  });
}

/**
 * Throws `bad-usage` if an option with one of these names, which is also its flag, is given: it does not support many models. With
 * `command`, only an option of its command line counts: those of a configuration are for other runs.
 */
export function refuseForMany(flags: object, names: readonly string[], command?: Command): void {
  const isGiven = (name: string) => command === undefined || command.getOptionValueSource(name) === 'cli';
  const name = Object.entries(flags).find(
    ([name, value]) => names.includes(name) && value !== undefined && value !== false && isGiven(name),
  )?.[0];
  if (name === undefined) return;
  throw new OnnxMishError('bad-usage', `--${name} is for one model at a time`, {
    fix: 'Name one model, without --out-dir and --shard',
  });
}
