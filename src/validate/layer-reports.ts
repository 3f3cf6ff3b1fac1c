// The parts of a report that compare tensors inside the models.
import { isAborted } from '../base/abort.js';
import { messageOf } from '../base/error.js';
import type { OptionHint } from '../base/option-hint.js';
import { type Dataset, type Feeds, firstFeeds } from '../data/dataset.js';
import type { Provider, Session } from '../providers/provider.js';
import type { Both } from './compare.js';
import { firstModelDivergence } from './divergence.js';
import { takingTurns } from './latency.js';
import type { ModelRun } from './layer-options.js';
import { compareModelLayers, NO_FIGURES } from './layers.js';
import type { ValidationOptions } from './options.js';
import type { LayerComparison, ProviderRow } from './report-schema.js';
import { parityShare } from './thresholds.js';
import { floatsOf, toleranceFor } from './tolerance.js';
import { triedCure } from './tried-cure.js';

/** Number of runs over which inner tensors are compared. */
const LAYER_RUNS = 2;

/** Compares inner tensors: the swapped model with the original on the CPU, then each other provider with the CPU. */
export async function layersInside(
  rows: readonly ProviderRow[],
  dataset: Dataset<Feeds>,
  options: ValidationOptions,
): Promise<LayerComparison[]> {
  const { original, swapped, cpu, signal, onProgress = () => {} } = options;
  const feeds = await firstFeeds(dataset.feeds, LAYER_RUNS);
  const run = (which: 'original' | 'swapped', provider: Provider): ModelRun => {
    return { which, provider, model: (which === 'original' ? original : swapped).model };
  };
  const both = { a: run('original', cpu), b: run('swapped', cpu) };
  const elsewhere = options.providers
    .filter(
      ({ name }) => name !== cpu.name && rows.some((row) => row.provider === name && row.status === 'ran'),
    )
    .map((provider) => ({ a: run('swapped', cpu), b: run('swapped', provider) }));
  const comparisons: LayerComparison[] = [];
  for (const { a, b } of [both, ...elsewhere]) {
    const what = `comparing inner tensors, ${a.which} on ${a.provider.name} with ${b.which} on ${b.provider.name}`;
    try {
      comparisons.push(
        await compareModelLayers({
          a,
          b,
          feeds,
          signal,
          copies: a.which === b.which,
          // Two models run as written, without fusions; two providers run with fusions, since these may have bugs.
          session: {
            ...takingTurns(options.session),
            arena: false,
            optimisation: a.which === b.which ? 'all' : 'disabled',
          },
          onProgress: (done, of) => onProgress(`${what}: ${done} of ${of}`),
        }),
      );
    } catch (error) {
      if (isAborted(error)) throw error;
      comparisons.push(failedComparison(a, b, error));
    } finally {
      await b.provider.close?.();
    }
  }
  return comparisons;
}

/** Returns a comparison with a single row that holds the error, so that the rest of the report is still written. */
function failedComparison(a: ModelRun, b: ModelRun, error: unknown): LayerComparison {
  const run = ({ which, provider }: ModelRun) => ({ model: which, provider: provider.name });
  const problem = messageOf(error);
  const row = { node: 'all', op: '–', output: '', site: false, ...NO_FIGURES, problem };
  return { a: run(a), b: run(b), rows: [row] };
}

/** Places and probable causes of differences between a provider and the CPU. */
export interface Divergences {
  /** The first tensor of each model that differs from the CPU's; null if none differs. */
  readonly parting: ProviderRow['parting'];
  /** Bugs of the provider that may be the cause, and remedies that worked on these feeds. */
  readonly causes: readonly string[];
  /** The options that causes advise, by the cause. */
  readonly noteOptions: Readonly<Record<string, OptionHint>>;
}

/** Finds the first tensor that differs from the CPU's, for each model whose parity exceeds its limit, and why. */
export async function divergences(
  provider: Provider,
  models: Both<Session>,
  { parity }: Pick<ProviderRow, 'parity'>,
  dataset: Dataset<Feeds>,
  options: ValidationOptions,
): Promise<Divergences> {
  const parting: ProviderRow['parting'] = { original: null, swapped: null };
  const causes = new Set<string>();
  const noteOptions: Record<string, OptionHint> = {};
  if (parity === null) return { parting, causes: [], noteOptions };
  const { original, swapped, cpu, session, signal, thresholds = {} } = options;
  const limit =
    thresholds.maxParity ?? toleranceFor(provider.name, floatsOf(original.info, swapped.info)).parity;
  const feeds = await firstFeeds(dataset.feeds, 1);
  for (const [which, { model }] of [
    ['original', original],
    ['swapped', swapped],
  ] as const) {
    if (parityShare(parity, which).every((share) => share !== null && share <= limit)) continue;
    const a: ModelRun = { which, model, provider: cpu };
    const b: ModelRun = { which, model, provider };
    parting[which] = await firstModelDivergence({ a, b, feeds, session, signal }, limit);
    for (const bug of models[which].suspicions ?? []) causes.add(`${which}: ${bug}`);
    const [first] = feeds;
    const advice = first && (await triedCure(provider, cpu, model, first, limit, session));
    if (advice === undefined) continue;
    const note = `${which}: ${advice.text}`;
    causes.add(note);
    if (advice.option !== undefined) noteOptions[note] = advice.option;
  }
  return { parting, causes: [...causes], noteOptions };
}
