import { type Plan, planOf } from '../mish/plan.js';
import type { SwapReport } from '../mish/results.js';
import { swapDocument } from '../mish/swap.js';
import { swapChoices } from '../mish/swap-choices.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import type { OnProvider } from '../providers/provider.js';
import { chooseRanges } from './choose-ranges.js';
import { floatVersion, noteOnLeft } from './int8/float-version.js';
import { refuseFold, refuseWithoutSites, wholeModel } from './int8/refuse-int8.js';
import type { Int8Calibration } from './int8/report.js';
import type { CalibrateOptions } from './options.js';
import { prepareSamples } from './prepare-samples.js';
import { type QuantisedCandidate, quantiseAnew } from './quantise-anew.js';
import { type RepairedSwap, repairSwap, withoutOriginal } from './repair-swap.js';
import { type CompareCandidate, compareWithOriginal, isNoWorse } from './select/compare-with-original.js';

type Options = CalibrateOptions & OnProvider;
type Way = NonNullable<CalibrateOptions['int8']>;

/**
 * Swaps and repairs a quantised model. Its float version is swapped and repaired; then its weights and the tensors between
 * layers are quantised anew, with ranges from the training samples. The rule for ranges with which the outputs are nearer to
 * the original’s on validation samples wins. If the result is further from the original than the plain swap on test samples,
 * the output is the plain swap. Throws as `repairSwap` does, `bad-usage` for a model without quantised sites, `external-data`.
 */
export async function calibrateInt8(
  given: LoadedModel,
  int8: Way,
  options: Options,
): Promise<Pick<RepairedSwap, 'report'> & { readonly output: QuantisedCandidate['output'] }> {
  const { onProgress = () => {} } = options;
  refuseFold(options);
  const original = await wholeModel(given);
  const beta = options.beta === 'auto' ? undefined : options.beta;
  const plain = await swapDocument(original.document, { ...swapChoices(options), int8, beta, undo: false });
  refuseWithoutSites(original.document, plain.report);
  const floats = await floatVersion(original);
  const samples = await prepareSamples(floats.model, options);
  const repaired = await repairSwap(floats.model, samples, sameSites(plain.report, int8, options));
  const { validation, test } = samples.subsets;
  const compare: CompareCandidate = (candidate, subset) =>
    compareWithOriginal(original, candidate, samples.dataOf(subset), {
      ...options,
      onRun: (done, of) => onProgress('comparing the quantised outputs', done, of),
    });
  const candidates = await quantiseAnew(original, floats, repaired, samples, { ...options, int8 });
  const { best, tried } = await chooseRanges(candidates, (one) => compare(one, validation));
  const [before, after] = [await compare(plain.output, test), await compare(best.output, test)];
  const isBetter = isNoWorse(after.drift, before.drift);
  const { report } = repaired;
  const sites = plain.report.sites.map((site) => ({ ...site, bends: null }));
  const ofPlain = { beta: plain.report.beta, curved: null, sites };
  const scales: Int8Calibration = {
    ...best.report,
    ranges: best.rule,
    tried,
    tensors: best.tensors,
    float: report.kept === 'calibrated' ? report.calibrated : report.swapped,
  };
  return {
    output: isBetter ? best.output : plain.output,
    report: {
      ...report,
      ...(isBetter ? {} : ofPlain),
      notes: [...report.notes, ...noteOnLeft(floats)],
      form: plain.report.form,
      skipped: plain.report.skipped,
      int8: scales,
      original: before.original,
      swapped: withoutOriginal(before),
      calibrated: withoutOriginal(after),
      kept: isBetter ? 'calibrated' : 'swapped',
    },
  };
}

/**
 * Returns the options that swap the same sites of the float version. Where most sites are on integers, all are repaired as the
 * approximation x · σ(ax + b) that these become.
 */
function sameSites(report: SwapReport, way: Way, options: Options): Options & { readonly plan: Plan } {
  const { onIntegers = 0 } = report.int8 ?? {};
  const form = way === 'qlinear' && 2 * onIntegers >= report.sites.length ? 'sigmoid' : report.form;
  const { int8, bound, ...plan } = planOf(report);
  return { ...options, plan: { ...plan, form }, form, leaky: 'mish', target: undefined };
}
