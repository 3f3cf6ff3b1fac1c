import { aborted } from '../../base/abort.js';
import type { BufferBytes } from '../../base/buffer-bytes.js';
import { messageOf, OnnxMishError } from '../../base/error.js';

/** Source of a model or of a file beside it: a URL, a response, or the content. */
export type FileSource = string | URL | Response | Blob | Uint8Array | ReadableStream<BufferBytes>;

/** Progress of one download. */
export interface FetchProgress {
  /** URL of the file, or its location beside the model. */
  readonly file: string;
  /** Bytes received. */
  readonly loaded: number;
  /** Size in bytes; undefined if the server does not say, or only says the compressed size. */
  readonly total: number | undefined;
}

export interface FetchOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: FetchProgress) => void) | undefined;
}

/** A file whose content may still be downloading. */
export interface Incoming {
  /** Name of the file in messages. */
  readonly name: string;
  /** URL of the file, where it has one; after a redirection the last one. */
  readonly url: string | undefined;
  /** URL that was asked for, where this function made the request. */
  readonly asked?: string | undefined;
  /** Text that changes when the file changes: URL with ETag, or with date and length. */
  readonly validator: string | undefined;
  /** Returns the whole content. Throws `io` when the download breaks off, and `aborted`. */
  content(): Promise<Blob>;
  /** Cancels the download, which may have ended or failed. */
  drop(): Promise<void>;
}

/**
 * Requests a file; its content is downloaded when it is wanted. Throws `io` for a URL that cannot be fetched, and
 * `aborted`.
 */
export async function openFile(
  source: FileSource,
  name: string,
  { signal, onProgress }: FetchOptions = {},
): Promise<Incoming> {
  if (signal?.aborted) throw aborted();
  if (source instanceof Blob || source instanceof Uint8Array) {
    const content = async () => (source instanceof Blob ? source : new Blob([source as BufferBytes]));
    return { name, url: undefined, validator: undefined, content, drop: async () => {} };
  }
  const isAddress = typeof source === 'string' || source instanceof URL;
  const response = isAddress
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
    asked: isAddress ? addressOf(source).href : undefined,
    validator: validatorOf(response),
    drop: async () => {
      await response.body?.cancel().catch(() => {}); // it rejects with the error of a download that has failed
    },
    async content() {
      if (response.body === null) return response.blob();
      let loaded = 0;
      const counter = new TransformStream<BufferBytes, BufferBytes>({
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
    throw new OnnxMishError('bad-usage', 'not a valid URL', {
      where: String(source),
      fix: 'Give an absolute URL: a relative one works neither outside of a page nor in a worker created from a Blob',
      cause,
    });
  }
}

async function request(url: URL, signal: AbortSignal | undefined): Promise<Response> {
  const { href } = url;
  const response = await fetch(url, signal === undefined ? {} : { signal }).catch((cause: unknown) => {
    if (signal?.aborted) throw aborted(href);
    throw new OnnxMishError('io', `the file cannot be fetched: ${messageOf(cause)}`, {
      where: href,
      fix: 'Check the URL, the network, and whether the server allows this page to read the file (CORS)',
      cause,
    });
  });
  return checked(response, href);
}

function checked(response: Response, where: string): Response {
  if (response.ok) return response;
  throw new OnnxMishError('io', `the server answers ${`${response.status} ${response.statusText}`.trim()}`, {
    where,
    fix: 'Check the URL',
  });
}

const brokenOff = (where: string, cause: unknown) =>
  new OnnxMishError('io', `the download broke off: ${messageOf(cause)}`, {
    where,
    fix: 'Fetch it again',
    cause,
  });

/** Returns the size of the content; undefined for a compressed response, whose length is the compressed size. */
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
