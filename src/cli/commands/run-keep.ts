import { basename } from 'node:path';
import { OnnxMishError } from '../../base/error.js';
import { limitText, parseBudget } from '../../calibrate/select/budget.js';
import {
  type BudgetResult,
  type JudgedSet,
  type KeepProgress,
  swapModelWithinBudget,
} from '../../calibrate/select/swap-within-budget.js';
import type { DataAccess } from '../../files/external-data.js';
import { checkedBy } from '../../files/unchanged.js';
import { withDocument } from '../../files/with-document.js';
import { checkTarget } from '../../files/write-atomically.js';
import type { SwapReport } from '../../mish/results.js';
import { activationTag, swapDocument } from '../../mish/swap.js';
import { swapChoices } from '../../mish/swap-choices.js';
import { onCpu } from '../../node/calibrate-files.js';
import { outputName, swapFile } from '../../node/transform-file.js';
import { scan } from '../../onnx/scan.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import { interruptible } from '../io/exit.js';
import { isPiped, modelArgument, withRunnable } from '../io/files.js';
import { allOfNoise, DEFAULT_NOISE_RUNS, readData, requireSamples } from '../io/read-data.js';
import { sayDoubts } from '../io/say-doubts.js';
import { runTransformation } from '../io/transform.js';
import { checkViews, writeTextTo } from '../io/views.js';
import { describeSwapReport, sayDryRun } from '../text/describe-swap.js';
import { harmText } from '../text/harm-text.js';
import { steps } from '../text/progress.js';
import { clean, columns, integer, plural } from '../text/text.js';
import { timeLeftClock } from '../text/time-left.js';
import type { Flags } from './swap-flags.js';

/** The report of a swap within a budget. */
interface KeptReport extends SwapReport {
  /** Result of the search, without the plan and the lists of sites, which the report has. */
  readonly keep: Omit<BudgetResult, 'plan' | 'sites' | 'left'>;
}

/** Swaps as many sites as the budget allows. Throws `over-budget` if it allows none of the sites. */
export async function runKeep(
  input: string,
  flags: Flags & { readonly keep: readonly string[] },
): Promise<void> {
  const budget = parseBudget(flags.keep);
  requireSamples(flags, '--keep');
  const { samples, seed, dryRun, report: html, force } = flags;
  const output = flags.output ?? outputName(input, activationTag({ to: flags.to }));
  await checkViews({ html, force }, [input, flags.data], dryRun ? undefined : output); // fail before the long run, not after
  const signal = interruptible();
  const data = await readData(flags, samples ?? DEFAULT_NOISE_RUNS, { signal });

  const session = { allowOutsideData: flags.allowOutsideData };
  const search = async (model: LoadedModel): Promise<BudgetResult> => {
    await sayDoubts(model, data, flags, session);
    const bar = steps();
    const kept = await swapModelWithinBudget(
      model,
      onCpu({
        budget,
        data,
        seed,
        signal,
        onProgress: progressPrinter(bar.update),
        session,
        samples: samples ?? allOfNoise(flags),
        ...swapChoices(flags),
        int8: flags.int8,
      }),
    ).finally(bar.end);
    if (kept.of === 0 || kept.sites.length > 0) return kept;
    throw new OnnxMishError('over-budget', nothingKept(kept), {
      where: model.name,
      fix: 'Nothing was written. Loosen the budget, or come closer to the original with --beta 4',
    });
  };
  let result: KeptReport | undefined;
  const withKept = (report: SwapReport, kept: BudgetResult) => {
    result = keptReport(report, kept);
    return result;
  };
  const writePage = () => result && writePageOf(result, basename(input), flags);

  if (dryRun) {
    const planned = await withArgument(input, session, signal, async (model) => {
      const kept = await search(model);
      const choices = { ...flags, plan: kept.plan, openData: model.openData };
      const { report } = await swapDocument(model.document, choices);
      return withKept(report, kept);
    });
    sayDryRun(input, planned, flags.json ?? false, describeReport(planned, flags));
    return writePage();
  }
  await runTransformation<Omit<Flags, 'plan' | 'keep'>, KeptReport>(input, flags, {
    async file(path, options) {
      await checkTarget(
        options.output ?? outputName(path, activationTag({ to: flags.to })),
        options.force ?? false,
      ); // fail before the long run, not after
      const kept = await withDocument(path, (document) => withRunnable(document, path, session, search));
      const written = await swapFile(path, { ...options, plan: kept.plan });
      return { ...written, report: withKept(written.report, kept) };
    },
    async document(document, options) {
      const kept = await withRunnable(document, undefined, session, search);
      const { output, report } = await swapDocument(document, { ...options, plan: kept.plan });
      return { output, report: withKept(report, kept) };
    },
    describe: (report) => describeReport(report, flags),
  });
  await writePage();
}

/** Calls `use` with the model of an argument, to run. Throws as `scan` does, and `io` if the file changes meanwhile. */
async function withArgument<T>(
  input: string,
  access: DataAccess,
  signal: AbortSignal,
  use: (model: LoadedModel) => Promise<T>,
): Promise<T> {
  const source = await modelArgument(input, signal);
  try {
    const path = (await isPiped(input)) ? undefined : input;
    const work = async () => withRunnable(await scan(source), path, access, use);
    return await checkedBy(source.checkUnchanged, work);
  } finally {
    await source.close();
  }
}

/** Describes a report: the swap, the budget, and then the details. */
function describeReport(report: KeptReport, flags: Flags): string[] {
  const [first = '', ...rest] = describeSwapReport(report, flags);
  return [first, ...describeKept(report), ...rest];
}

function keptReport(report: SwapReport, { plan, sites, left, ...keep }: BudgetResult): KeptReport {
  const others = report.skipped.filter(
    ({ scope, output }) => !left.some((site) => site.scope === scope && site.output === output),
  );
  return { ...report, skipped: [...left, ...others], keep };
}

/** Writes the report as an HTML page, if requested. */
async function writePageOf(report: KeptReport, name: string, { report: html, force }: Flags): Promise<void> {
  if (html === undefined) return;
  const { renderHtmlBudget } = await import('../../render/html/render.js');
  await writeTextTo(html, await renderHtmlBudget(report, name), { force });
}

/** Returns a function that prints progress. */
function progressPrinter(update: (step: string) => void): (progress: KeepProgress) => void {
  const left = timeLeftClock();
  return ({ stage, model, models, sites }) => {
    if (stage === 'ranking') update(`ranking site ${model} of ${models}${left((model - 1) / models)}`);
    else if (stage === 'checking') update(`checking ${plural(sites, 'site')} on held-out samples`);
    else update(`searching: ${plural(sites, 'site')} together, model ${model} of at most ${integer(models)}`);
  };
}

function nothingKept({ budget, of, mostHarmless, evaluations }: BudgetResult): string {
  const limits = budget.map(limitText).join(' and ');
  const problem = `none of the ${plural(evaluations, 'model')} that were tried keeps ${limits}`;
  if (mostHarmless === null) return problem;
  const { label, searched, heldOut } = mostHarmless;
  const on = ({ harm, samples }: JudgedSet, sample: string) =>
    `${harmText(harm)} on ${plural(samples, sample)}`;
  return `${problem}; of ${plural(of, 'site')} the most harmless, ${clean(label)}, gives ${on(searched, 'sample')} of the search; ${on(heldOut, 'held-out sample')}`;
}

function describeKept({ keep }: KeptReport): string[] {
  const { budget, of, takenBack, searched, heldOut, everything, evaluations, notes } = keep;
  const row = (what: string, set: JudgedSet | null) =>
    set === null
      ? []
      : [[what, plural(set.sites, 'site'), plural(set.samples, 'sample'), harmText(set.harm)]];
  const swapped = heldOut?.sites ?? 0;
  const rows = [
    ...(swapped === of ? [] : row('all, searched', everything)),
    ...row('swapped, searched', searched),
    ...row('swapped, held out', heldOut),
  ];
  if (of === 0) return [];
  return [
    `  ${swapped} of ${plural(of, 'site')} within ${budget.map(limitText).join(' and ')} (${plural(evaluations, 'model')} tried)`,
    columns(rows, '    '),
    ...(takenBack === 0
      ? []
      : [`  ${plural(takenBack, 'site')} taken back, to keep the budget on the held-out samples`]),
    ...notes.map((note) => `  note: ${clean(note)}`),
  ];
}
