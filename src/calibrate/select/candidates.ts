import { OnnxMishError } from '../../base/error.js';
import type { Advice } from '../../base/option-hint.js';
import type { FormName } from '../../mish/forms.js';
import type { SwapReport } from '../../mish/results.js';
import { type SwapOptions, swapDocument } from '../../mish/swap.js';
import type { OnnxDocument } from '../../onnx/document.js';

/** The sites that the options select, and the form to measure them in. */
export interface Candidates {
  /** Report of a swap of all these sites. */
  readonly report: SwapReport;
  /**
   * Form for measurements: `exp`, which computes the same function fast on the CPU, if it can write the same sites; an approximate
   * form itself.
   */
  readonly measuredIn: FormName;
  /** Advice for each glob that selects no activation, for kinds that the model lacks, and for sites that only `int8` swaps. */
  readonly unmatched: readonly Advice[];
}

/** Finds the sites of a swap without writing a model. Throws as `swapDocument` does. */
export async function findCandidates(document: OnnxDocument, options: SwapOptions): Promise<Candidates> {
  const { report } = await swapDocument(document, options);
  const unmatched = unmatchedIn(report);
  // A repair for an approximate form needs the form itself.
  if (report.to !== 'mish' || report.bound !== undefined)
    return { report, measuredIn: report.form, unmatched };
  const { target, ...rest } = options;
  const fast = await swapDocument(document, { ...rest, form: 'exp' }).catch((error: unknown) => {
    if (error instanceof OnnxMishError && error.code === 'unsupported-form') return undefined;
    throw error;
  });
  const places = ({ sites }: SwapReport) => JSON.stringify(sites.map(({ scope, output }) => [scope, output]));
  // float64 keeps the requested form: in older opsets ONNX Runtime has no Clip for float64.
  const same = fast !== undefined && places(fast.report) === places(report);
  const f64 = report.sites.some(({ elemType }) => elemType === 'f64');
  return { report, measuredIn: same && !f64 ? 'exp' : report.form, unmatched };
}

function unmatchedIn({ notes, noteOptions = {} }: SwapReport): Advice[] {
  return notes.flatMap((text) => {
    const option = noteOptions[text];
    const isOnChoice = ['include', 'exclude', 'only', 'int8'].some((name) => option && name in option);
    return isOnChoice ? [{ text, option }] : [];
  });
}

/** Throws `bad-usage` unless Mish is written: only its sharpness can be searched. */
export function refuseAutoBeta({ to = 'mish' }: Pick<SwapOptions, 'to'>): void {
  if (to === 'mish') return;
  throw new OnnxMishError('bad-usage', `the search for β is for Mish, and ${to} is to be written`, {
    fix: 'Leave beta out, or write mish',
    option: { beta: null },
  });
}
