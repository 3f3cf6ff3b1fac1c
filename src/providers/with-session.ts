import type { OnProvider, RunnableModel, Session, SessionOptions } from './provider.js';

/** Opens a model, calls `use` with its session, and closes the session. Throws what `open` throws. */
export async function withSession<T>(
  model: RunnableModel,
  { provider, session }: OnProvider & { readonly session?: SessionOptions | undefined },
  use: (session: Session) => Promise<T> | T,
): Promise<T> {
  const open = await provider.open(model, session);
  try {
    return await use(open);
  } finally {
    await open.close();
  }
}
