import type * as Ort from 'onnxruntime-web';

/** The end of the creation that was asked for last. */
let last: Promise<unknown> = Promise.resolve();

/**
 * Creates a session after those that were asked for before. ONNX Runtime Web keeps the data files of all creations in one table by
 * their locations, and the end of any creation empties the table (wasm-core-impl.ts of onnxruntime-web 1.30).
 */
export function createInTurn(
  { InferenceSession }: { readonly InferenceSession: Pick<typeof Ort.InferenceSession, 'create'> },
  model: string | Uint8Array,
  options: Ort.InferenceSession.SessionOptions,
): Promise<Ort.InferenceSession> {
  // The overloads accept a URL or bytes, not the union.
  const created = last.then(() => InferenceSession.create(model as Uint8Array, options));
  last = created.catch(() => {});
  return created;
}
