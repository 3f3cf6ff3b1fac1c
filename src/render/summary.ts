import { integer } from '../base/plural.js';
import { comparableSqnr, type Drift } from '../metrics/drift.js';
import type { ProviderRow, Report } from '../validate/report-schema.js';
import { activation, figure, isRequested, sqnrOf, verdictWord } from './figures.js';

/** One provider's results in one line. */
export interface Summary {
  readonly provider: string;
  /** `finding` where all binding limits hold but another does not; `ran` where no limit was set. */
  readonly verdict: 'pass' | 'finding' | 'FAIL' | 'failed' | 'not available' | 'ran';
  /** Runtime and browser: `onnxruntime-web 1.30.0, Chrome 140`. */
  readonly runtime: string;
  /** Worst SQNR of the swapped model against the original, as text. */
  readonly drift: string;
  /** Worst SQNR of either model on this provider against the same model on the CPU, as text. */
  readonly parity: string;
  /** Largest error of any Mish kernel, as text. */
  readonly kernel: string;
  readonly original: string;
  readonly swapped: string;
  /** Latency ratio with its interval: `1.08 × (1.05 to 1.12)`. */
  readonly ratio: string;
  /** Whether the GPU is emulated in software, so that the latency does not apply to real GPUs. */
  readonly software: boolean;
}

/** Summarises each provider of a report in one line, for the table at the top of every rendering. */
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

/** Label beside every latency that was measured on an emulated GPU. */
export const SOFTWARE = 'software rendering';

/** Formats a latency ratio with its interval: `1.08 × (1.05 to 1.12)`. */
export function ratioText({ value, low, high }: { value: number; low: number; high: number }): string {
  return `${figure(value)} × (${figure(low)} to ${figure(high)})`;
}

/** Returns the provider's runtime and browser; `–` where the provider did not run. */
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
  const own = verdicts.filter((verdict) => verdict.provider === provider);
  const words = own.map(verdictWord);
  if (words.includes('FAIL')) return 'FAIL';
  if (words.includes('finding')) return 'finding';
  return own.some(isRequested) ? 'pass' : 'ran';
}

/** Returns the SQNR of the worst output: first not comparable, then not finite, then lowest SQNR. */
function worst(drifts: readonly Drift[]): string {
  const rank = ({ problem, broken }: Drift) => (problem !== null ? 0 : broken > 0 ? 1 : 2);
  const [first] = drifts.toSorted(
    (a, b) => rank(a) - rank(b) || comparableSqnr(a) - comparableSqnr(b) || 0, // ∞ − ∞ is NaN
  );
  return first === undefined ? '–' : sqnrOf(first);
}

function worstKernel({ kernel }: ProviderRow): string {
  const mish = kernel.filter(({ kind }) => kind === 'mish');
  const broken = mish.find((one) => one.broken > 0);
  if (broken !== undefined) return `${activation(broken)}: ${integer(broken.broken)} not finite`;
  const errors = mish.flatMap(({ maxAbs }) => (maxAbs === null ? [] : [maxAbs]));
  return errors.length === 0 ? '–' : figure(Math.max(...errors));
}
