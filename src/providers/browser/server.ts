import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { BufferBytes } from '../../base/buffer-bytes.js';

/** Content of a response: bytes, the path of a file, or an open file. Files are streamed. */
export type Content = Uint8Array | { readonly file: string } | OpenFile;

/** Open file: the checked file is sent, even if its path is replaced meanwhile. */
export interface OpenFile {
  readonly handle: FileHandle;
  readonly size: number;
}

/** Server of a page. */
export interface PageServer {
  /** URL of the page. */
  readonly url: string;
  /** Serves content at a new path until `withdraw` is called. */
  offer(content: Content, type?: string): { readonly path: string; withdraw(): void };
  /** Returns a path that accepts a single upload, and the bytes of the upload. */
  receive(): { readonly path: string; readonly bytes: Promise<BufferBytes>; withdraw(): void };
  close(): Promise<void>;
}

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  wasm: 'application/wasm',
  css: 'text/css; charset=utf-8',
  json: 'application/json',
  svg: 'image/svg+xml',
  png: 'image/png',
};
const BYTES = 'application/octet-stream';

const isAddress = (name: string) => isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0;

/** Returns whether a Host header names an IP address or localhost, and the server's port. Browsers omit port 80. */
export function isOwnHost(host: string, address: string, port: number): boolean {
  const [, name = '', given = '80'] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(host.toLowerCase()) ?? [];
  return (
    given === String(port) && (name === address.toLowerCase() || name === 'localhost' || isAddress(name))
  );
}

/** Headers of every response. WebAssembly threads need the isolation headers. */
const HEADERS = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
};
const POLICY =
  "default-src 'none'; script-src 'self' blob: 'wasm-unsafe-eval'; worker-src 'self' blob:; connect-src 'self' blob:";

function streamOf(content: { readonly file: string } | OpenFile): Readable {
  const options = { highWaterMark: 1 << 20 };
  if ('file' in content) return createReadStream(content.file, options);
  const { handle, size } = content;
  return createReadStream('', { ...options, fd: handle, autoClose: false, start: 0, end: size - 1 });
}

export interface ServeOptions {
  /** Address to listen on; default 127.0.0.1. */
  readonly host?: string | undefined;
  /** Port; default: the system chooses. */
  readonly port?: number | undefined;
  /** Returns the Content-Security-Policy of a file by its name; default: the harness page's policy. */
  readonly policy?: ((name: string) => string) | undefined;
}

/**
 * Serves a page, its files and its models to a browser on this machine. By default the server listens on the loopback
 * interface, on a port that the system chooses. The URL has a path that cannot be guessed. The Host header must be an IP
 * address or localhost, so that no other page can reach the server by a DNS name. Requests are looked up in a table, not
 * in the file system; other requests get an empty 404.
 *
 * @param files Files of the page by name; `index.html` is the page.
 * @throws Errors of `listen` of node:http, such as EADDRINUSE.
 */
export async function servePage(
  files: ReadonlyMap<string, Content>,
  { host: bound = '127.0.0.1', port = 0, policy = () => POLICY }: ServeOptions = {},
): Promise<PageServer> {
  const root = `/${randomBytes(24).toString('base64url')}/`;
  const offered = new Map<string, { content: Content; type: string; policy: string }>();
  for (const [name, content] of files) {
    const type = TYPES[name.split('.').at(-1) ?? ''] ?? BYTES;
    offered.set(root + name, { content, type, policy: policy(name) });
  }
  const awaited = new Map<string, { resolve: (bytes: BufferBytes) => void }>();
  const address = bound.includes(':') ? `[${bound}]` : bound;
  let boundPort = 0;
  let next = 0;

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? '';
    const isOurs = isOwnHost(request.headers.host ?? '', address, boundPort);
    const found = isOurs ? offered.get(url) : undefined;
    const upload = isOurs ? awaited.get(url) : undefined;
    if (found !== undefined && request.method === 'GET') {
      const { content, type, policy: own } = found;
      response.writeHead(200, { ...HEADERS, 'Content-Type': type, 'Content-Security-Policy': own });
      if (content instanceof Uint8Array) response.end(content);
      else if ('handle' in content && content.size === 0) response.end();
      else await pipeline(streamOf(content), response);
    } else if (upload !== undefined && request.method === 'POST') {
      awaited.delete(url);
      const chunks: Uint8Array[] = [];
      for await (const chunk of request) chunks.push(chunk);
      upload.resolve(new Uint8Array(Buffer.concat(chunks)));
      response.writeHead(204, HEADERS).end();
    } else {
      response.writeHead(404, { Connection: 'close' }).end();
    }
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, bound, resolve);
  });
  boundPort = (server.address() as AddressInfo).port;
  const name = () => `${root}${next++}`;
  return {
    url: `http://${address}:${boundPort}${root}index.html`,
    offer(content, type = BYTES) {
      const path = name();
      offered.set(path, { content, type, policy: POLICY });
      return { path, withdraw: () => void offered.delete(path) };
    },
    receive() {
      const path = name();
      const bytes = new Promise<BufferBytes>((resolve) => awaited.set(path, { resolve }));
      return { path, bytes, withdraw: () => void awaited.delete(path) };
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
