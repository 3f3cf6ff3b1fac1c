import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { OnnxMishError } from '../../base/error.js';
import { ACTIVATIONS } from '../../mish/activations.js';
import { verdictText, verdictWord } from '../../render/figures.js';
import type { JunitCase } from '../../render/junit.js';
import { summarise } from '../../render/summary.js';
import type { Report } from '../../validate/report-schema.js';
import { EXIT } from '../io/exit.js';
import { expandInputs, type Input } from '../io/inputs.js';
import { runMany, sayLeftOut } from '../io/many.js';
import { type Job, planOutputs } from '../io/outputs.js';
import type { Patterns } from '../options/patterns.js';
import { annotateReport } from '../text/annotate-report.js';
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
      : swappedJobs(inputs, swappedDir);
  await runMany<(typeof jobs)[number], Report>(
    jobs,
    {
      async run({ input, output }, signal) {
        const report = await compareModels(input, output, flags, { signal });
        annotateReport(report, input);
        return report;
      },
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
      judged,
    },
    { ...flags, jobs: 1, command: 'validate' }, // a second job would distort the latency
  );
}

/** Returns the file that a swap to Mish or another activation wrote for each model. Throws `bad-usage` if there are several for a model. */
function swappedJobs(inputs: readonly Input[], folder: string): Job[] {
  const plans = Object.keys(ACTIVATIONS).map((name) => planOutputs(inputs, name, folder));
  return planOutputs(inputs, 'mish', folder).map((expected, at) => {
    const all = plans.flatMap((jobs) => jobs[at] ?? []);
    const [found = expected, ...others] = all.filter(({ output }) => existsSync(output));
    if (others.length === 0) return found;
    const files = [found, ...others].map(({ output }) => `'${basename(output)}'`);
    throw new OnnxMishError(
      'bad-usage',
      `there are several swaps of '${expected.input}': ${files.join(', ')}`,
      {
        where: folder,
        fix: 'Keep the output of each activation in a folder of its own',
      },
    );
  });
}

/** Returns the outcome of a comparison in JUnit XML: what failed, and the conclusion. */
function judged(report: Report): Pick<JunitCase, 'outcome' | 'message'> {
  const { providers, verdicts, conclusion } = report;
  const stopped = providers.filter(({ status }) => status !== 'ran');
  const parts = [
    ...stopped.map(({ provider, status, reason }) => `${provider} ${status}: ${reason}`),
    ...verdicts
      .filter((verdict) => verdictWord(verdict) === 'FAIL')
      .map((verdict) => `${verdict.provider} ${verdictText(verdict)}`),
    ...(conclusion === undefined ? [] : [conclusion]),
  ];
  const code = codeOf(report);
  const outcome = code === EXIT.done ? 'passed' : code === EXIT.unavailable ? 'skipped' : 'failure';
  return { outcome, message: parts.join('; ') };
}
