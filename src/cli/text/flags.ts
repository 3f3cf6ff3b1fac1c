import type { OptionHint, OptionName } from '../../base/option-hint.js';
import type { Report } from '../../validate/report-schema.js';

/** Flags of the command line for the options of the library; for some, a command with flags. */
export const FLAGS: Readonly<Record<OptionName, string>> = {
  allowOutsideData: '--allow-outside-data',
  alpha: '--alpha',
  before: '--resume',
  beta: '--beta',
  browser: '--browser',
  calibrate: '--no-calibrate',
  curved: '--curved',
  data: '--data',
  dataLayout: '--data-layout',
  deviceId: '--device-id',
  dims: '--dim',
  exclude: '--exclude',
  externalData: '--external-data',
  force: '--force',
  form: '--form',
  freeze: '--freeze',
  head: '--head',
  ignoreLabel: '--ignore-label',
  images: '--images',
  include: '--include',
  int8: '--int8',
  install: 'doctor --install',
  labels: '--labels',
  layers: '--layers',
  layout: '--layout',
  leaky: '--leaky',
  limit: '--limit',
  loss: '--loss',
  mean: '--mean',
  only: '--only',
  opset: '--opset',
  outDir: '--out-dir',
  output: '-o',
  plan: 'swap --dry-run --json',
  resize: '--resize',
  resume: '--resume',
  retarget: 'retarget',
  samples: '--samples',
  scale: '--scale',
  seed: '--seed',
  shapes: '--shape',
  size: '--size',
  std: '--std',
  strict: '--strict',
  swap: 'swap',
  target: '--target',
  timeoutMs: '--timeout',
  to: '--to',
  undo: '--no-undo',
  validate: 'validate --json',
};

/** Hint on how to see a list in full. */
export const ALL_HINT = '--all lists them';

/** Hints from a report may hold anything. */
type Hint = OptionHint | Readonly<Record<string, unknown>>;

/** Returns flags with the advised values for options; skips options without a flag. */
function flagsIn(option: Hint): string[] {
  return Object.entries(option).flatMap(([name, value]) => {
    if (value === undefined || !Object.hasOwn(FLAGS, name)) return [];
    const flag = FLAGS[name as OptionName];
    if (typeof value === 'number') return `${flag} ${value}`;
    if (typeof value === 'string') return `${flag} ${quoted(value)}`;
    if (typeof value !== 'object' || value === null) return flag;
    if (name === 'swap' || name === 'retarget') return [flag, ...flagsIn(value as Hint)].join(' ');
    return Object.entries(value).map(
      ([key, size]) => `${flag} ${inQuotes(`${key}=${[size].flat().join('x')}`)}`,
    );
  });
}

const quoted = (text: string) => (/^[\w.,-]+$/.test(text) ? text : inQuotes(text));

/** Quotes text for a shell, which takes it as one word whatever is in it. */
const inQuotes = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** Appends the flags of `option` to a sentence, in parentheses. */
export function withFlags(sentence: string, option: Hint | undefined): string {
  const flags = option === undefined ? [] : flagsIn(option);
  return flags.length === 0 ? sentence : `${sentence} (${flags.join(', ')})`;
}

/** Appends to each note the flags of its options. */
export function notesWithFlags(
  notes: readonly string[] | undefined,
  options: Readonly<Record<string, Hint>> | undefined,
): string[] {
  return (notes ?? []).map((note) =>
    withFlags(note, options !== undefined && Object.hasOwn(options, note) ? options[note] : undefined),
  );
}

/** Returns a report with flags in its advice. */
export function reportWithFlags(report: Report): Report {
  const providers = report.providers.map((row) => ({
    ...row,
    fix: row.fix === null ? null : withFlags(row.fix, row.option),
    notes: notesWithFlags(row.notes, row.noteOptions),
  }));
  return { ...report, providers, notes: notesWithFlags(report.notes, report.noteOptions) };
}
