import { stopIfAborted } from '../base/abort.js';
import { freeBytes } from '../base/free-bytes.js';
import { splice } from '../onnx/splice.js';
import type { EditableModel } from './loaded-model.js';
import {
  isPath,
  type OnProvider,
  type RunnableModel,
  type Session,
  type SessionOptions,
} from './provider.js';
import type { Tensors } from './tensor.js';

interface OpenOptions extends OnProvider {
  readonly session?: SessionOptions | undefined;
  /** Makes runs throw `aborted`. */
  readonly signal?: AbortSignal | undefined;
}

/** Opens a model, calls `use` with its session, and closes the session. Throws what `open` throws, and `aborted` at a run. */
export function withSession<T>(
  model: RunnableModel,
  { provider, session, signal }: OpenOptions,
  use: (session: Session) => Promise<T> | T,
): Promise<T> {
  return whileOpen(provider.open(model, session), signal, use); // without the model, whose bytes can be freed
}

/** Calls `use` with a session of a model that may exist in memory only, as `withSession` does. */
export function withModelSession<T>(
  model: EditableModel,
  options: OpenOptions,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  return model.withEdited(splice(model.document.source, []), (copy) => withSession(copy, options, use));
}

/** Opens a copy of a model as `withSession` does, and frees the bytes of the copy once a runtime of this process has read them. */
export function withCopySession<T>(
  copy: RunnableModel,
  { provider, session, signal }: OpenOptions,
  use: (session: Session) => Promise<T> | T,
): Promise<T> {
  const opening = provider.open(copy, session).then((open) => {
    if (!isPath(copy) && open.runtime.browser === null) freeBytes(copy);
    return open;
  });
  return whileOpen(opening, signal, use);
}

async function whileOpen<T>(
  opening: Promise<Session>,
  signal: AbortSignal | undefined,
  use: (session: Session) => Promise<T> | T,
): Promise<T> {
  const open = await opening;
  try {
    return await use(stoppable(open, signal));
  } finally {
    await open.close();
  }
}

/** Returns a session whose runs throw `aborted` once a signal is aborted. */
export function stoppable(session: Session, signal: AbortSignal | undefined): Session {
  if (signal === undefined) return session;
  const run = async (feeds: Tensors) => {
    stopIfAborted(signal);
    return session.run(feeds);
  };
  return { ...session, run };
}
