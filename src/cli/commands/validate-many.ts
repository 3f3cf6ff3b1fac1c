import { summarise } from '../../render/summary.js';
import type { Report } from '../../validate/report-schema.js';
import { expandInputs } from '../io/inputs.js';
import { runMany, sayLeftOut } from '../io/many.js';
import { planOutputs } from '../io/outputs.js';
import type { Patterns } from '../options/patterns.js';
import { codeOf, compareModels, type Flags } from './run-validate.js';

/**
 * Compares many models with their swaps: with files that `swap --out-dir` wrote to `swappedDir`, or with swaps in memory.
 * Throws `bad-usage`.
 */
export async function validateMany(many: Patterns, flags: Flags): Promise<void> {
  const { swappedDir } = flags;
  const { inputs, leftOut } = await expandInputs(many, { tag: 'mish', outDir: swappedDir });
  sayLeftOut(leftOut);
  const jobs =
    swappedDir === undefined
      ? inputs.map(({ path }) => ({ input: path, output: undefined }))
      : planOutputs(inputs, 'mish', swappedDir);
  await runMany<(typeof jobs)[number], Report>(
    jobs,
    {
      run: ({ input, output }, signal) => compareModels(input, output, flags, { signal }),
      document: (report) => report,
      head: ['provider', 'verdict', 'drift dB', 'parity dB', 'p50 ms', 'swapped', 'ratio'],
      rows: (report) =>
        summarise(report).map(({ provider, verdict, drift, parity, original, swapped, ratio, software }) => [
          ...[provider, verdict, drift, parity, original, swapped],
          software && ratio !== '–' ? `${ratio}, software rendering` : ratio,
        ]),
      textColumns: 3,
      done: 'validated',
      code: codeOf,
    },
    { ...flags, jobs: 1 }, // a second job would distort the latency
  );
}
