// How much longer a network takes with each form of Mish. A test compares the figures with README.md and docs/benchmarks.md.
import type { FormName } from './forms.js';
import type { SwapReport } from './results.js';

/** Smallest and largest time of a network on a CPU, in the time of the same network with ReLU. */
export type CostRange = readonly [least: number, most: number];

type ExactForm = 'softplus' | 'native' | 'exp';

/** The ranges over the seven networks of test/bench/forms.md; of approximate forms over the four of docs/what-it-costs.md. */
export const CPU_COST: Readonly<Record<ExactForm, CostRange> & { [F in FormName]?: CostRange }> = {
  softplus: [1.4, 7.8],
  native: [1.4, 7.8], // ONNX Runtime expands it to the softplus form
  exp: [1.04, 1.6],
  sigmoid: [1.24, 1.57],
  tanh: [1.4, 1.96],
  hard: [1.16, 1.39],
};

/** The range of the exp form beside the approximate forms: on those networks and that machine. */
export const EXP_BESIDE_APPROXIMATE: CostRange = [1.51, 2.29];

/** Returns whether a form of Mish computes a site; operators on integers may compute them all. */
export const hasSiteInForm = ({
  sites,
  int8,
}: Pick<SwapReport, 'sites'> & { readonly int8?: SwapReport['int8'] | undefined }): boolean =>
  sites.length > (int8?.onIntegers ?? 0);

/** Returns the cost of a swap to Mish on CPUs as a part of a sentence; undefined without a Mish in a form, or without a figure. */
export function costOf({
  to,
  form,
  sites,
  int8,
}: Pick<SwapReport, 'to' | 'form' | 'sites' | 'int8'>): string | undefined {
  if (to !== 'mish' || !hasSiteInForm({ sites, int8 })) return undefined;
  const cost = cpuCostText(form);
  return cost && `${cost} in the ${form} form`;
}

/** Describes what a form costs on CPUs: `1.4 to 7.8 times as long on CPUs`; undefined where it was not measured. */
export function cpuCostText(form: FormName): string | undefined {
  const range = CPU_COST[form];
  return range && `${rangeText(range)} times as long on CPUs`;
}

/** Formats a range: `1.4 to 7.8`. */
export const rangeText = ([least, most]: CostRange): string => `${least} to ${most}`;
