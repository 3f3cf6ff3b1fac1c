import { OnnxMishError } from '../../base/error.js';
import { limitText, parseBudget } from '../../calibrate/select/budget.js';
import { medianBeta, type SharpnessReport } from '../../calibrate/select/search-sharpness.js';
import { sharpenModel } from '../../calibrate/select/sharpen-swap.js';
import { withDocument } from '../../files/with-document.js';
import { checkTarget } from '../../files/write-atomically.js';
import type { SwapReport } from '../../mish/results.js';
import { activationTag, swapDocument } from '../../mish/swap.js';
import { swapChoices } from '../../mish/swap-choices.js';
import { onCpu } from '../../node/calibrate-files.js';
import { outputName, swapFile } from '../../node/transform-file.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import { interruptible } from '../io/exit.js';
import { withRunnable } from '../io/files.js';
import { allOfNoise, DEFAULT_NOISE_RUNS, readData, requireSamples } from '../io/read-data.js';
import { sayDoubts } from '../io/say-doubts.js';
import { runTransformation } from '../io/transform.js';
import { describeSwapReport, sayDryRun } from '../text/describe-swap.js';
import { shortFigure } from '../text/harm-text.js';
import { steps } from '../text/progress.js';
import { integer } from '../text/text.js';
import type { Flags } from './swap-flags.js';

/** The report of a swap with the search for β. */
interface SharpenedReport extends SwapReport {
  readonly sharpness: SharpnessReport;
}

/** Swaps all sites, each with the smallest sharpness within a budget. Throws `over-budget` if no sharpness keeps it. */
export async function runSharpen(input: string, flags: Flags): Promise<void> {
  const { keep, samples, seed, dryRun } = flags;
  if (keep === undefined) {
    throw new OnnxMishError('bad-usage', '--beta auto needs a budget', {
      fix: 'Give one with samples: --keep "agreement>=0.99" --data samples.npz',
    });
  }
  if (input === '-') {
    throw new OnnxMishError('bad-usage', '--beta auto reads a file', { fix: 'Name a file instead of -' });
  }
  requireSamples(flags, '--beta auto');
  const budget = parseBudget(keep);
  const signal = interruptible();
  const data = await readData(flags, samples ?? DEFAULT_NOISE_RUNS, { signal });
  const session = { allowOutsideData: flags.allowOutsideData };
  const search = async (model: LoadedModel) => {
    await sayDoubts(model, data, flags, session);
    const bar = steps();
    const options = { ...swapChoices(flags), beta: undefined, budget, data, seed, signal };
    return sharpenModel(
      model,
      onCpu({ ...options, session, samples: samples ?? allOfNoise(flags), onProgress: bar.update }),
    ).finally(bar.end);
  };
  const lines = (report: SharpenedReport) => {
    const [first = '', ...rest] = describeSwapReport(report, flags);
    return [first, ...describeSharpness(report), ...rest];
  };

  if (dryRun) {
    const work = async (model: LoadedModel) => {
      const { plan, sharpness } = await search(model);
      const { report } = await swapDocument(model.document, { ...flags, plan, openData: model.openData });
      const result = { ...report, sharpness };
      sayDryRun(input, result, flags.json ?? false, lines(result));
    };
    return withDocument(input, (document) => withRunnable(document, input, session, work));
  }
  await runTransformation<Omit<Flags, 'plan' | 'keep'>, SharpenedReport>(input, flags, {
    async file(path, options) {
      await checkTarget(
        options.output ?? outputName(path, activationTag({ to: flags.to })),
        options.force ?? false,
      ); // fail before the long run, not after
      const { plan, sharpness } = await withDocument(path, (document) =>
        withRunnable(document, path, session, search),
      );
      const written = await swapFile(path, { ...options, plan });
      return { ...written, report: { ...written.report, sharpness } };
    },
    async document(document, options) {
      const { plan, sharpness } = await withRunnable(document, undefined, session, search);
      const { output, report } = await swapDocument(document, { ...options, plan });
      return { output, report: { ...report, sharpness } };
    },
    describe: lines,
  });
}

function describeSharpness({ sites, sharpness }: SharpenedReport): string[] {
  if (sites.length === 0) return [];
  const betas = sites.map(({ beta }) => beta).sort((a, b) => a - b);
  const held = sharpness.verdicts.map(
    ({ measure, value }) => `${measure} ${shortFigure(value ?? Number.NaN)}`,
  );
  return [
    `  β from ${shortFigure(betas[0] ?? 1)} to ${shortFigure(betas.at(-1) ?? 1)}, median ${shortFigure(medianBeta(betas))}, for ${sharpness.budget.map(limitText).join(' and ')}: the held-out samples give ${held.join(', ')} (${integer(sharpness.trials.length)} tried)`,
  ];
}
