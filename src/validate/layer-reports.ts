// What happens to the tensors inside of the models.
import { isAborted } from '../base/abort.js';
import { messageOf } from '../base/error.js';
import type { OptionHint } from '../base/option-hint.js';
import { type Dataset, type Feeds, firstFeeds } from '../data/dataset.js';
import type { Provider, Session } from '../providers/provider.js';
import type { Both } from './compare.js';
import { firstDivergence } from './divergence.js';
import { compareModelLayers, type ModelRun } from './layers.js';
import type { ValidationOptions } from './options.js';
import type { LayerComparison, ProviderRow } from './report-schema.js';
import { parityShare } from './thresholds.js';
import { floatsOf, toleranceFor } from './tolerance.js';
import { triedCure } from './tried-cure.js';

/** How many runs the tensors inside are compared over. */
const LAYER_RUNS = 2;

/** Original against swapped on the CPU, and then each provider that ran against the CPU. */
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
  const found: LayerComparison[] = [];
  for (const { a, b } of [both, ...elsewhere]) {
    const what = `comparing the tensors inside, ${a.which} on ${a.provider.name} with ${b.which} on ${b.provider.name}`;
    try {
      found.push(
        await compareModelLayers({
          ...{ a, b, feeds, signal },
          copies: a.which === b.which,
          // Every operator as the models have it, or the fusions that a provider may get wrong.
          session: { ...options.session, optimisation: a.which === b.which ? 'all' : 'disabled' },
          onProgress: (done, of) => onProgress(`${what}: ${done} of ${of}`),
        }),
      );
    } catch (error) {
      if (isAborted(error)) throw error;
      found.push(failedComparison(a, b, error));
    } finally {
      await b.provider.close?.();
    }
  }
  return found;
}

/** A comparison that did not come about, of which the rest of the report still knows. */
function failedComparison(a: ModelRun, b: ModelRun, error: unknown): LayerComparison {
  const run = ({ which, provider }: ModelRun) => ({ model: which, provider: provider.name });
  const problem = messageOf(error);
  const nothing = { n: 0, a: null, b: null, maxAbs: null, cosine: null, sqnr: null };
  const row = { node: 'all', op: '–', output: '', site: false, ...nothing, problem };
  return { a: run(a), b: run(b), rows: [row] };
}

/** What is found where a model is not on a provider what it is on the CPU. */
export interface Partings {
  /** The first site of each model that differs. */
  readonly parting: ProviderRow['parting'];
  /** Why that may be, and what was seen to help. */
  readonly suspicions: readonly string[];
  /** The options that they advise, by the suspicion. */
  readonly noteOptions: Readonly<Record<string, OptionHint>>;
}

/** Where the models part from themselves on the CPU, for those of which it is known that they do, and why. */
export async function partings(
  provider: Provider,
  models: Both<Session>,
  { parity }: Pick<ProviderRow, 'parity'>,
  dataset: Dataset<Feeds>,
  options: ValidationOptions,
): Promise<Partings> {
  const parting: ProviderRow['parting'] = { original: null, swapped: null };
  const suspicions = new Set<string>();
  const noteOptions: Record<string, OptionHint> = {};
  if (parity === null) return { parting, suspicions: [], noteOptions };
  const { original, swapped, cpu, session, signal, thresholds = {} } = options;
  const limit =
    thresholds.maxParity ?? toleranceFor(provider.name, floatsOf(original.info, swapped.info)).parity;
  const feeds = await firstFeeds(dataset.feeds, 1);
  for (const [which, { model }] of [
    ['original', original],
    ['swapped', swapped],
  ] as const) {
    if (parityShare(parity, which).every((share) => share !== null && share <= limit)) continue;
    const [a, b] = [cpu, provider].map((where): ModelRun => ({ which, model, provider: where }));
    if (a === undefined || b === undefined) continue;
    parting[which] = await firstDivergence({ a, b, feeds, session, signal }, limit);
    for (const suspicion of models[which].suspicions ?? []) suspicions.add(`${which}: ${suspicion}`);
    const [first] = feeds;
    const advice = first && (await triedCure(provider, cpu, model, first, limit, session));
    if (advice === undefined) continue;
    const note = `${which}: ${advice.text}`;
    suspicions.add(note);
    if (advice.option !== undefined) noteOptions[note] = advice.option;
  }
  return { parting, suspicions: [...suspicions], noteOptions };
}
