import type { Drift } from '../metrics/drift.js';
import type { ProviderRow, Report } from '../validate/report-schema.js';
import { activation, figure, sqnrOf, verdictWord } from './figures.js';

/** A provider in one line. */
export interface Summary {
  readonly provider: string;
  /** `finding` where every limit was kept and there is something to know; `ran` where nothing was asked of it. */
  readonly verdict: 'pass' | 'finding' | 'FAIL' | 'failed' | 'not available' | 'ran';
  /** `onnxruntime-web 1.30.0, Chrome 140`. */
  readonly runtime: string;
  /** Worst SQNR of swapped against original, in words. */
  readonly drift: string;
  /** Worst SQNR of either model here against itself on the CPU, in words. */
  readonly parity: string;
  /** Largest error of any Mish kernel, in words. */
  readonly kernel: string;
  readonly original: string;
  readonly swapped: string;
  /** `1.08 × (1.05 to 1.12)`. */
  readonly ratio: string;
  /** Whether the GPU is a program, so that the latency says nothing of a real one. */
  readonly software: boolean;
}

/** Each provider of a report in one line, as the table at the top of every view has them. */
export function summarise(report: Pick<Report, 'providers' | 'verdicts'>): Summary[] {
  return report.providers.map((row) => {
    const { latency, parity } = row;
    return {
      provider: row.provider,
      verdict: verdictOf(report, row),
      runtime: runtimeOf(row),
      drift: worst(row.drift),
      parity: parity === null ? '–' : worst([...parity.original, ...parity.swapped]),
      kernel: worstKernel(row),
      original: figure(latency?.original.p50),
      swapped: figure(latency?.swapped.p50),
      ratio: latency === null ? '–' : ratioText(latency.ratio),
      software: row.runtime?.software === true,
    };
  });
}

/** What a GPU that is a program on the CPU is called beside every latency. */
export const SOFTWARE = 'software rendering';

/** `1.08 × (1.05 to 1.12)`. */
export function ratioText({ value, low, high }: { value: number; low: number; high: number }): string {
  return `${figure(value)} × (${figure(low)} to ${figure(high)})`;
}

/** The provider's runtime in a few words; `–` where it did not run. */
export function runtimeOf({ runtime }: ProviderRow): string {
  if (runtime === null) return '–';
  return [`${runtime.name} ${runtime.version}`, runtime.browser].filter((part) => part !== null).join(', ');
}

function verdictOf(
  { verdicts }: Pick<Report, 'verdicts'>,
  { provider, status }: ProviderRow,
): Summary['verdict'] {
  if (status === 'failed') return 'failed';
  if (status === 'unavailable') return 'not available';
  const own = verdicts.filter((verdict) => verdict.provider === provider).map(verdictWord);
  if (own.includes('FAIL')) return 'FAIL';
  if (own.includes('finding')) return 'finding';
  return own.includes('pass') ? 'pass' : 'ran';
}

/** The output that is worst off: not comparable, not finite, then the lowest SQNR. */
function worst(drifts: readonly Drift[]): string {
  const rank = ({ problem, broken, maxAbs, sqnr }: Drift) => {
    if (problem !== null) return -Infinity;
    if (broken > 0) return -Number.MAX_VALUE;
    return maxAbs === 0 ? Infinity : (sqnr ?? Number.MAX_VALUE);
  };
  const [first] = drifts.toSorted((a, b) => rank(a) - rank(b) || 0); // ∞ less ∞ is NaN
  return first === undefined ? '–' : sqnrOf(first);
}

function worstKernel({ kernel }: ProviderRow): string {
  const mish = kernel.filter(({ kind }) => kind === 'mish');
  const broken = mish.find((one) => one.broken > 0);
  if (broken !== undefined) return `${activation(broken)}: ${broken.broken} not finite`;
  const errors = mish.flatMap(({ maxAbs }) => (maxAbs === null ? [] : [maxAbs]));
  return errors.length === 0 ? '–' : figure(Math.max(...errors));
}
