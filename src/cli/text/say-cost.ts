import { resolve } from 'node:path';
import { CPU_COST, costOf, EXP_BESIDE_APPROXIMATE, rangeText } from '../../mish/costs.js';
import { FORM_FOR, FORMS } from '../../mish/forms.js';
import type { SwapReport } from '../../mish/results.js';
import { sayNote } from './say.js';

/** A written model with its report. */
interface SwappedFile {
  readonly input: string;
  readonly output: string;
  readonly report: SwapReport;
}

/** Note on the cost of a swap. */
export const COST_NOTE = {
  concerns: (report: SwapReport): boolean => costOf(report) !== undefined,
  /** Returns the report without the note that the form is slow on CPUs. */
  rest(report: SwapReport): SwapReport {
    const slow = FORMS[report.form].limits.find(
      ({ on, type, before }) => on.includes('cpu') && type === undefined && before === undefined,
    );
    if (slow === undefined) return report;
    return { ...report, notes: report.notes.filter((note) => !note.includes(slow.says)) };
  },
  /** Prints what the swap costs on CPUs, and the command that measures it for this model. */
  say({ input, output, report }: SwappedFile): void {
    const names = namesOf(input, output);
    const command = ['onnx-mish validate', ...names.map((name) => shellWord(name))].join(' ');
    sayNote(`a run takes ${costOf(report)}${besideOf(report)}; ${command} measures yours`);
  },
};

/** Returns words on the cost of the exp form, to compare with that of the report's form. */
function besideOf({ form }: SwapReport): string {
  if (FORMS[form].bound !== undefined)
    return `, where the exp form takes ${rangeText(EXP_BESIDE_APPROXIMATE)}`;
  const range = CPU_COST[FORM_FOR.cpu];
  return range === undefined || form === FORM_FOR.cpu ? '' : `, ${rangeText(range)} with --target cpu`;
}

/** Returns the names of both models for a command. A model from a pipe, or one that the output replaced, has no file. */
function namesOf(input: string, output: string): readonly [string, string] {
  if (input === '-' || output === '-') return ['original.onnx', 'swapped.onnx'];
  return [resolve(input) === resolve(output) ? 'original.onnx' : input, output];
}

/** Quotes a path for a shell, if it needs quotes. A leading dash would make an option of it. */
export function shellWord(path: string, platform = process.platform): string {
  if (path.startsWith('-')) return shellWord(`./${path}`, platform);
  // A path on Windows has no double quote, and cmd knows no other.
  if (platform === 'win32') return /^[\w./\\@+,:=-]+$/.test(path) ? path : `"${path}"`;
  return /^[\w./@%+,:=-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
