import { request } from 'node:http';
import { networkInterfaces } from 'node:os';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isOwnHost, servePage } from '../../../src/providers/browser/server.js';
import { tempFolder } from '../../support/folder.js';

interface Sent {
  readonly path: string;
  readonly host?: string;
  readonly method?: string;
  readonly address?: string;
  readonly body?: Uint8Array;
}

/** A request as raw as Node sends one: no path is tidied up. */
function ask(port: number, { path, host, method = 'GET', address = '127.0.0.1', body }: Sent) {
  return new Promise<{ status: number; headers: Record<string, unknown>; body: string }>(
    (resolve, reject) => {
      const headers = { Host: host ?? `127.0.0.1:${port}` };
      const sent = request({ host: address, port, path, method, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        );
      });
      sent.on('error', reject);
      sent.end(body);
    },
  );
}

async function server() {
  const files = new Map([['index.html', new TextEncoder().encode('the page')]]);
  const page = await servePage(files);
  onTestFinished(() => page.close());
  const url = new URL(page.url);
  const root = url.pathname.replace('index.html', '');
  return { page, port: Number(url.port), root };
}

describe('the page server', () => {
  test('gives the page, isolated, to whoever knows where it is', async () => {
    const { port, root } = await server();
    const answer = await ask(port, { path: `${root}index.html` });
    expect(answer).toMatchObject({ status: 200, body: 'the page' });
    expect(answer.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
      'x-content-type-options': 'nosniff',
    });
    expect(root).toMatch(/^\/[\w-]{32}\/$/);
  });

  test.each([
    ['the top', () => '/'],
    ['a page without the secret', () => '/index.html'],
    ['another secret', () => `/${'A'.repeat(32)}/index.html`],
    ['the secret alone', (root: string) => root],
    ['a name that was not offered', (root: string) => `${root}package.json`],
    ['a way out', (root: string) => `${root}../package.json`],
    ['a way out, encoded', (root: string) => `${root}%2e%2e/package.json`],
    ['a detour', (root: string) => `${root}./index.html`],
    ['a question', (root: string) => `${root}index.html?x`],
    ['an absolute path', (root: string) => `${root}/etc/passwd`],
    ['a name that every object has', (root: string) => `${root}constructor`],
  ])('gives nothing for %s', async (_, path) => {
    const { port, root } = await server();
    expect(await ask(port, { path: path(root) })).toMatchObject({ status: 404, body: '' });
  });

  test.each(['localhost', '127.0.0.1', 'evil.example', '127.0.0.1:1', '[::1]'])(
    'gives nothing to the host %j',
    async (host) => {
      const { port, root } = await server();
      expect(await ask(port, { path: `${root}index.html`, host })).toMatchObject({ status: 404, body: '' });
    },
  );

  test.each(['HEAD', 'PUT', 'DELETE', 'OPTIONS', 'POST'])('does nothing for %s', async (method) => {
    const { port, root } = await server();
    expect(await ask(port, { path: `${root}index.html`, method })).toMatchObject({ status: 404 });
  });

  test('listens on the loopback interface only', async () => {
    const { port, root } = await server();
    const others = Object.values(networkInterfaces()).flatMap((list) =>
      (list ?? []).filter(({ internal, family }) => !internal && family === 'IPv4'),
    );
    for (const { address } of others) {
      await expect(ask(port, { path: `${root}index.html`, address })).rejects.toThrow(/ECONNREFUSED/);
    }
  });

  test('offers bytes and files until they are withdrawn', async () => {
    const { page, port } = await server();
    const folder = await tempFolder();
    const file = await folder.write('weights.bin', 'in a file');
    const [bytes, stream] = [page.offer(new TextEncoder().encode('in memory')), page.offer({ file })];
    expect(await ask(port, { path: bytes.path })).toMatchObject({ status: 200, body: 'in memory' });
    expect(await ask(port, { path: stream.path })).toMatchObject({ status: 200, body: 'in a file' });
    bytes.withdraw();
    expect(await ask(port, { path: bytes.path })).toMatchObject({ status: 404 });
  });

  test('takes one upload where it awaits one', async () => {
    const { page, port } = await server();
    const { path, bytes } = page.receive();
    const body = Uint8Array.of(1, 2, 3);
    expect(await ask(port, { path, host: 'evil.example', method: 'POST', body })).toMatchObject({
      status: 404,
    });
    expect(await ask(port, { path, method: 'POST', body })).toMatchObject({ status: 204 });
    expect(await bytes).toEqual(body);
    expect(await ask(port, { path, method: 'POST', body })).toMatchObject({ status: 404 });
  });

  test('a file that is gone breaks the answer off, and the server goes on', async () => {
    const { page, port, root } = await server();
    const { path } = page.offer({ file: '/no/such/file' });
    await expect(ask(port, { path })).rejects.toThrow();
    expect(await ask(port, { path: `${root}index.html` })).toMatchObject({ status: 200 });
  });
});

test('browsers leave out port 80, and no other', () => {
  for (const name of ['127.0.0.1', 'localhost', 'LOCALHOST', '[::1]', '[FE80::1]', '192.168.0.7']) {
    expect([80, 8080].map((port) => isOwnHost(name, '127.0.0.1', port))).toEqual([true, false]);
    for (const port of [80, 8080]) expect(isOwnHost(`${name}:${port}`, '127.0.0.1', port)).toBe(true);
    expect(isOwnHost(`${name}:81`, '127.0.0.1', 80)).toBe(false);
  }
  for (const host of ['', 'evil.example', 'evil.example:80', '::1', '[::1]evil', 'localhost:', ':80']) {
    expect(isOwnHost(host, '127.0.0.1', 80), host).toBe(false);
  }
});
