import { isAborted } from '../base/abort.js';
import type { Advice } from '../base/option-hint.js';
import { driftMeter } from '../metrics/drift.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import type { Provider, RunnableModel, SessionOptions } from '../providers/provider.js';
import { dimsOf, type Tensors } from '../providers/tensor.js';

/**
 * What to do about a model that is wrong on a provider: a remedy is named only where the model that it gives has run there, on
 * these feeds, and was within `limit` of what the CPU makes of the model as it is. Throws `aborted`.
 */
export async function triedCure(
  provider: Provider,
  cpu: Provider,
  model: LoadedModel,
  feeds: Tensors,
  limit: number,
  session: SessionOptions | undefined,
): Promise<Advice | undefined> {
  try {
    const cure = await provider.cure?.(model.document);
    if (cure === undefined) return undefined;
    const wanted = await runOn(cpu, model.file, feeds, session);
    const shapes = { inputs: dimsOf(feeds), outputs: dimsOf(wanted) };
    const given = await runOn(provider, cure.model, feeds, { ...session, shapes });
    if (!isWithin(wanted, given, limit)) return undefined;
    return { text: `${cure.name} makes it right: tried on these samples`, option: cure.option };
  } catch (error) {
    if (isAborted(error)) throw error;
    return undefined; // no remedy, whatever it was
  }
}

async function runOn(
  provider: Provider,
  model: RunnableModel,
  feeds: Tensors,
  options: SessionOptions | undefined,
): Promise<Tensors> {
  const session = await provider.open(model, options);
  try {
    return await session.run(feeds);
  } finally {
    await session.close();
  }
}

/** Whether every output differs by no larger a share of its largest value. */
function isWithin(wanted: Tensors, given: Tensors, limit: number): boolean {
  return Object.entries(wanted).every(([name, reference]) => {
    const meter = driftMeter(name);
    meter.add(reference, given[name]);
    const { maxAbs, scale, problem } = meter.result();
    return problem === null && maxAbs !== null && maxAbs <= limit * (scale ?? 0);
  });
}
