import { isAborted } from '../base/abort.js';
import type { Advice } from '../base/option-hint.js';
import { driftMeter } from '../metrics/drift.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import type { Provider, RunnableModel, SessionOptions } from '../providers/provider.js';
import { dimsOf, type Tensors } from '../providers/tensor.js';

/**
 * Tries the provider's remedy for a model whose outputs are wrong there. Returns advice only if the remedied model runs
 * on the provider, on these feeds, and is within `limit` of the CPU's outputs of the unchanged model. Throws `aborted`.
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
    const given = await model.withEdited(cure.model, (copy) =>
      runOn(provider, copy, feeds, { ...session, shapes }),
    );
    if (!isWithin(wanted, given, limit)) return undefined;
    return { text: `${cure.name} makes it right: tried on these samples`, option: cure.option };
  } catch (error) {
    if (isAborted(error)) throw error;
    return undefined; // a remedy that fails is not advised
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

/** Returns whether every output differs by at most `limit` times its largest value. */
function isWithin(wanted: Tensors, given: Tensors, limit: number): boolean {
  return Object.entries(wanted).every(([name, reference]) => {
    const meter = driftMeter(name);
    meter.add(reference, given[name]);
    const { maxAbs, scale, problem } = meter.result();
    return problem === null && maxAbs !== null && maxAbs <= limit * (scale ?? 0);
  });
}
