import { type Command, InvalidArgumentError, Option } from 'commander';
import { KINDS } from '../../mish/activation-kinds.js';
import { FORMS, TARGETS } from '../../mish/forms.js';

// Options that several commands share, declared once.

const kinds = KINDS.map((kind) => kind.name).join(', ');

/** A comma-separated list. */
export function list(text: string): string[] {
  return text.split(',').filter((item) => item !== '');
}

/** A repeatable option's values. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** A number, refused here if it is none. */
export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || Number.isNaN(value)) throw new InvalidArgumentError('It has to be a number.');
  return value;
}

/** A sharpness: a number, or `auto` to look for one. */
export function beta(text: string): number | 'auto' {
  return text === 'auto' ? text : number(text);
}

/** A number above 0. */
export function positive(text: string): number {
  const value = number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('It has to be above 0.');
  return value;
}

/** A whole number from 1 up. */
export function some(text: string): number {
  const value = number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('It has to be a whole number from 1 up.');
  return value;
}

/** A whole number from 0 up. */
export function count(text: string): number {
  const value = number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError('It has to be a whole number from 0 up.');
  return value;
}

/** --form and --target, which exclude each other. */
export function formOptions(command: Command): Command {
  const form = new Option('--form <form>', 'how to write Mish')
    .choices(Object.keys(FORMS))
    .conflicts('target');
  const target = new Option('--target <provider>', 'the form that suits this provider').choices(TARGETS);
  return command.addOption(form).addOption(target);
}

/** --opset, of the commands that write a model. */
export function opsetOption(command: Command): Command {
  return command.option(
    '--opset <number>',
    'raise the model to this opset, where its operators mean the same there',
    some,
  );
}

/** --fix and --no-fix. */
export function fixOptions(command: Command): Command {
  return command
    .option('--fix', 'write what WebGL computes wrong so that it is right (default with --target webgl)')
    .option('--no-fix', 'leave such nodes as they are');
}

/** --only, --include and --exclude. */
export function siteOptions(command: Command): Command {
  return command
    .option(
      '--only <kinds>',
      `kinds of activation, comma-separated: ${kinds} (default: relu,leakyrelu)`,
      list,
    )
    .option(
      '--include <glob>',
      'only sites whose node or output name matches (* and ?; repeatable); a whole name is swapped in spite of doubts',
      collect,
    )
    .option('--exclude <glob>', 'no site whose node or output name matches (repeatable)', collect);
}

/** -o and --force. */
export function outputOptions(command: Command, name: string, { pipes = true } = {}): Command {
  const pipe = pipes ? '; - is standard output' : '';
  return command
    .option('-o, --output <file>', `where to write${pipe} (default: ${name})`)
    .option('-f, --force', 'overwrite the output if it exists, also where it is the input itself');
}

/** --allow-outside-data, for what reads external data. */
export function dataAccess(command: Command): Command {
  return command.option(
    '--allow-outside-data',
    'read external data outside of the model’s folder as well; only for models that you trust',
  );
}

/** --json and --debug. */
export function commonOptions(command: Command): Command {
  return command
    .option('--json', 'print one JSON document and nothing else')
    .option('--debug', 'print stack traces of errors');
}

/** --config and --no-config, of the commands that a configuration has a section for. */
export function configOptions(command: Command): Command {
  return command
    .option('--config <file>', 'take options from this file (default: onnx-mish.config.{ts,js,json})')
    .option('--no-config', 'take no options from a file');
}
