import type { Advice } from '../../base/option-hint.js';
import type { DataMaker } from '../../data/in-batches.js';
import { variationDoubt } from '../../data/random-doubt.js';
import { sampleDoubt } from '../../data/sample-doubt.js';
import { onCpu } from '../../node/calibrate-files.js';
import { withModel } from '../../node/load-model.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import type { RunnableModel, Session, SessionOptions } from '../../providers/provider.js';
import { withSession } from '../../providers/with-session.js';
import type { DataFlags } from '../options/data-options.js';
import { isNoise } from '../options/noise.js';
import { withFlags } from '../text/flags.js';
import { sayNote } from '../text/say.js';
import { interruptible } from './exit.js';

/**
 * Prints advice, with flags, if the model draws random numbers, or if the samples do not look like those that the model was trained
 * on. Of noise, which never looks like them, it does not say so.
 */
export async function sayDoubts(
  model: LoadedModel,
  data: DataMaker,
  flags: DataFlags,
  session: SessionOptions | undefined,
): Promise<void> {
  if (isNoise(flags)) return sayVariation(model);
  await withSession(model.file, onCpu({ session }), (open) => sayDoubtsIn(open, model, data, flags, session));
}

/** Does as `sayDoubts`, with an open session of the model. */
export async function sayDoubtsIn(
  open: Session,
  model: LoadedModel,
  data: DataMaker,
  flags: DataFlags,
  session: SessionOptions | undefined,
): Promise<void> {
  if (isNoise(flags)) return sayVariation(model);
  const samples = data(open.inputs, open.outputs, { '*': 1 });
  const doubt = await sampleDoubt(model, samples, onCpu({ session, signal: interruptible() }), open);
  if (doubt !== undefined) sayDoubt(doubt);
}

async function sayVariation({ document }: LoadedModel): Promise<void> {
  const doubt = await variationDoubt(document);
  if (doubt !== undefined) sayDoubt(doubt);
}

/** Prints advice, with flags. */
export const sayDoubt = (doubt: Advice) => sayNote(withFlags(doubt.text, doubt.option));

/** Does as `sayDoubts`, for a path or bytes. */
export function sayDoubtsAbout(
  model: RunnableModel,
  data: DataMaker,
  flags: DataFlags,
  session: SessionOptions | undefined,
): Promise<void> {
  return withModel(model, (loaded) => sayDoubts(loaded, data, flags, session), { session });
}
