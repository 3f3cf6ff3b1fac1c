import { type Command, InvalidArgumentError, Option } from 'commander';
import { KINDS, REPLACEMENTS } from '../../mish/activation-kinds.js';
import { FORMS, TARGETS } from '../../mish/forms.js';
import { EXTERNAL_DATA } from '../../onnx/external-data-choices.js';
import { GROUPS } from './groups.js';

// Options that several commands share.

const kinds = KINDS.map((kind) => kind.name).join(', ');

/** Parses a comma-separated list. An empty list is an error: it comes from a variable without a value. */
export function list(text: string): string[] {
  const items = text.split(',').filter((item) => item !== '');
  if (items.length > 0) return items;
  throw new InvalidArgumentError('Name at least one, or leave out the option.');
}

/** Collects the values of a repeatable option. */
export function collectValues(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** Parses a number. Throws `InvalidArgumentError`. */
export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || Number.isNaN(value)) throw new InvalidArgumentError('Write a number.');
  return value;
}

/** Parses a sharpness: a number, or `auto`. Throws `InvalidArgumentError`. */
export function beta(text: string): number | 'auto' {
  return text === 'auto' ? text : number(text);
}

/** Parses a number above 0. Throws `InvalidArgumentError`. */
export function positive(text: string): number {
  const value = number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('Write a number above 0.');
  return value;
}

/** Parses a whole number of at least 1. Throws `InvalidArgumentError`. */
export function some(text: string): number {
  const value = number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('Write a whole number of at least 1.');
  return value;
}

/** Parses a whole number of at least 0. Throws `InvalidArgumentError`. */
export function count(text: string): number {
  const value = number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError('Write a whole number of at least 0.');
  return value;
}

/** Adds --to to a command. */
export function toOption(
  command: Command,
  text = 'activation to write (default: mish); silu is swish',
): Command {
  const to = new Option('--to <activation>', text).choices([...REPLACEMENTS, 'silu']);
  return command.optionsGroup(GROUPS.what).addOption(to);
}

/** Adds --to and --alpha to a command that swaps. */
export function activationOptions(command: Command): Command {
  return toOption(command).option(
    '--alpha <number>',
    'slope of --to leakyrelu below zero (default: 0.01)',
    number,
  );
}

/** Adds --form and --target, which exclude each other, to a command. */
export function formOptions(command: Command): Command {
  const form = new Option('--form <form>', 'form of Mish in the model')
    .choices(Object.keys(FORMS))
    .conflicts('target');
  const target = new Option('--target <provider>', 'the form that suits this provider').choices(TARGETS);
  return command.optionsGroup(GROUPS.how).addOption(form).addOption(target);
}

/** Adds --opset to a command that writes a model. */
export function opsetOption(command: Command): Command {
  return command
    .optionsGroup(GROUPS.how)
    .option(
      '--opset <number>',
      'raise the model to this opset, if its operators mean the same in that opset',
      some,
    );
}

/** Adds --fix and --no-fix to a command. */
export function fixOptions(command: Command): Command {
  return command
    .optionsGroup(GROUPS.how)
    .option('--fix', 'rewrite nodes that WebGL computes wrongly (default with --target webgl)')
    .option('--no-fix', 'do not rewrite nodes for WebGL');
}

/** Adds --only, --include and --exclude to a command. */
export function siteOptions(command: Command): Command {
  return command
    .optionsGroup(GROUPS.what)
    .option(
      '--only <kinds>',
      `kinds of activation, comma-separated: ${kinds} (default: relu, leakyrelu and, with --to, mish)`,
      list,
    )
    .option(
      '--include <glob>',
      'only sites whose node or output name matches (* and ?; repeatable); a whole name overrides the reasons to skip its site',
      collectValues,
    )
    .option('--exclude <glob>', 'no site whose node or output name matches (repeatable)', collectValues);
}

/** Adds -o and --force to a command. */
export function outputOptions(command: Command, name: string, { pipes = true } = {}): Command {
  const pipe = pipes ? '; - is standard output' : '';
  return command
    .optionsGroup(GROUPS.output)
    .option('-o, --output <file>', `output file${pipe} (default: ${name})`)
    .option('-f, --force', 'overwrite an existing output, even the input itself');
}

/** Adds --quiet to a command that writes models. */
export function quietOption(command: Command): Command {
  return command.option('-q, --quiet', 'print no report, notes or progress, only errors and --json');
}

/** Adds --allow-outside-data to a command that reads external data. */
export function dataAccess(command: Command): Command {
  return command
    .optionsGroup(GROUPS.general)
    .option(
      '--allow-outside-data',
      'also read external data outside of the model’s folder; only for models that you trust',
    );
}

/** Adds --external-data to a command that writes a model. */
export function moveOption(command: Command): Command {
  const where =
    'where the weights go: inline (into the model), file (into <output>.data) or keep (default: keep, with copies in another folder)';
  return command
    .optionsGroup(GROUPS.output)
    .addOption(new Option('--external-data <where>', where).choices(EXTERNAL_DATA));
}

/** Adds --json and --debug to a command. */
export function commonOptions(command: Command): Command {
  return command
    .optionsGroup(GROUPS.general)
    .option('--json', 'print only one JSON document')
    .option('--debug', 'print stack traces of errors');
}

/** Adds --config and --no-config to a command that has a section in the configuration. */
export function configOptions(command: Command): Command {
  return command
    .optionsGroup(GROUPS.general)
    .option('--config <file>', 'read options from this file (default: onnx-mish.config.{ts,js,json})')
    .option('--no-config', 'do not read a configuration file');
}
