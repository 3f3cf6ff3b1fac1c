import { aborted } from '../../base/abort.js';
import { messageOf, OnnxMishError } from '../../base/error.js';

/** Where a model, or a file beside it, can come from: an address, what came from one, or what is there already. */
export type FileSource =
  | string
  | URL
  | Response
  | Blob
  | Uint8Array
  | ReadableStream<Uint8Array<ArrayBuffer>>;

/** How much of a file is here. */
export interface FetchProgress {
  /** The file: its address, or its location beside the model. */
  readonly file: string;
  /** Bytes so far. */
  readonly loaded: number;
  /** Bytes in all; undefined where the server does not say, or says how many there are compressed. */
  readonly total: number | undefined;
}

export interface FetchOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: FetchProgress) => void) | undefined;
}

/** A file that is on its way. */
export interface Incoming {
  /** What messages call it. */
  readonly name: string;
  /** Its address, where it has one. */
  readonly url: string | undefined;
  /** What the server says stays the same as long as the file does: its address and its ETag, or date and length. */
  readonly validator: string | undefined;
  /** All of it. Throws `io` when it breaks off, `aborted`. */
  content(): Promise<Blob>;
  /** Ends what is on its way, where its content is not wanted. */
  drop(): Promise<void>;
}

/**
 * Asks for a file, and has its content come when that is wanted.
 * Throws `io` for an address that cannot be fetched, `aborted`.
 */
export async function openFile(
  source: FileSource,
  name: string,
  { signal, onProgress }: FetchOptions = {},
): Promise<Incoming> {
  if (signal?.aborted) throw aborted();
  if (source instanceof Blob || source instanceof Uint8Array) {
    const content = async () =>
      source instanceof Blob ? source : new Blob([source as Uint8Array<ArrayBuffer>]);
    return { name, url: undefined, validator: undefined, content, drop: async () => {} };
  }
  const response =
    typeof source === 'string' || source instanceof URL
      ? await request(addressOf(source), signal)
      : source instanceof Response
        ? checked(source, source.url || name)
        : new Response(source);
  const url = response.url === '' ? undefined : response.url;
  const file = url ?? name;
  const total = lengthOf(response);
  return {
    name: file,
    url,
    validator: validatorOf(response),
    drop: async () => response.body?.cancel(),
    async content() {
      if (response.body === null) return response.blob();
      let loaded = 0;
      const counter = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
        transform(chunk, controller) {
          loaded += chunk.length;
          onProgress?.({ file, loaded, total: total !== undefined && loaded > total ? undefined : total });
          controller.enqueue(chunk);
        },
      });
      const counted = response.body.pipeThrough(counter, signal === undefined ? {} : { signal });
      return new Response(counted).blob().catch((cause: unknown) => {
        throw signal?.aborted ? aborted(file) : brokenOff(file, cause);
      });
    },
  };
}

function addressOf(source: string | URL): URL {
  try {
    return new URL(source, globalThis.location?.href);
  } catch (cause) {
    throw new OnnxMishError('bad-usage', 'this is no address', {
      where: String(source),
      fix: 'In a worker that was made from a Blob, and outside of a page, it has to be a whole one',
      cause,
    });
  }
}

async function request(url: URL, signal: AbortSignal | undefined): Promise<Response> {
  const { href } = url;
  const response = await fetch(url, signal === undefined ? {} : { signal }).catch((cause: unknown) => {
    if (signal?.aborted) throw aborted(href);
    throw new OnnxMishError('io', `it cannot be fetched: ${messageOf(cause)}`, {
      where: href,
      fix: 'Check the address, the network, and whether the server lets this page have it (CORS)',
      cause,
    });
  });
  return checked(response, href);
}

function checked(response: Response, where: string): Response {
  if (response.ok) return response;
  throw new OnnxMishError('io', `the server answers ${`${response.status} ${response.statusText}`.trim()}`, {
    where,
    fix: 'Check the address',
  });
}

const brokenOff = (where: string, cause: unknown) =>
  new OnnxMishError('io', `it breaks off: ${messageOf(cause)}`, { where, fix: 'Fetch it again', cause });

/** A compressed answer has the length of what travels, which is not counted here. */
function lengthOf({ headers }: Response): number | undefined {
  const length = Number(headers.get('Content-Length') ?? Number.NaN);
  return headers.get('Content-Encoding') === null && Number.isFinite(length) ? length : undefined;
}

function validatorOf({ url, headers }: Response): string | undefined {
  const [date, length] = [headers.get('Last-Modified'), headers.get('Content-Length')];
  const dated = date === null || length === null ? undefined : `${date} ${length}`;
  const tag = headers.get('ETag') ?? dated;
  return url === '' || tag === undefined ? undefined : `${url} ${tag}`;
}
