import { CPU_COST, costOf, rangeText } from '../../mish/costs.js';
import { FORM_FOR } from '../../mish/forms.js';
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
  /** Prints what the swap costs on CPUs, and the command that measures it for this model. */
  say({ input, output, report }: SwappedFile): void {
    const cheap = FORM_FOR.cpu;
    const range = CPU_COST[cheap];
    const cheaper =
      range === undefined || report.form === cheap ? '' : `, ${rangeText(range)} with --target cpu`;
    const names = input === '-' || output === '-' ? ['original.onnx', 'swapped.onnx'] : [input, output];
    const command = ['onnx-mish validate', ...names.map(shellWord)].join(' ');
    sayNote(`a run takes ${costOf(report)}${cheaper}; ${command} measures yours`);
  },
};

/** Quotes a path for a shell, if it needs quotes. */
function shellWord(path: string): string {
  return /^[\w./@%+,:=-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
