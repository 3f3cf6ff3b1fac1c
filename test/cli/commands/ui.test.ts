import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { get } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { cli, start } from '../../support/cli.js';
import { tempFolder } from '../../support/folder.js';

const models = new URL('../../../models/', import.meta.url).pathname;

/** Starts the command and waits for its document; the caller ends it. */
async function startUi(args: readonly string[]) {
  const child = start(['ui', '--json', '--no-open', ...args]);
  let text = '';
  child.stdout?.on('data', (chunk) => {
    text += chunk;
  });
  while (!text.includes('}\n')) await once(child.stdout ?? child, 'data');
  const end = async () => {
    const ended = once(child, 'close');
    child.kill('SIGINT');
    const [code] = await ended;
    return code as number;
  };
  return { url: new URL(JSON.parse(text).url), end };
}

/** One request, with whatever Host. */
function ask(url: URL, path: string, host = url.host) {
  return new Promise<{ status: number | undefined; headers: NodeJS.Dict<string | string[]>; body: Buffer }>(
    (resolve, reject) => {
      const target = new URL(path, url);
      const { hostname, port, pathname } = target;
      get({ hostname, port, path: pathname, headers: { Host: host } }, async (response) => {
        const body = await buffer(response);
        resolve({ status: response.statusCode, headers: response.headers, body });
      }).on('error', reject);
    },
  );
}

test('serves page, model and external data to this machine, until Ctrl-C', async () => {
  const ui = await startUi([`${models}vgg-leaky.onnx`]);
  try {
    expect(ui.url.hostname).toBe('127.0.0.1');
    expect(ui.url.hash).toBe('#model');
    const page = await ask(ui.url, 'index.html');
    expect(page.status).toBe(200);
    expect(page.headers).toMatchObject({
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
      'content-security-policy': expect.stringMatching(/script-src 'self' 'wasm-unsafe-eval'$/),
    });
    const handed = JSON.parse((await ask(ui.url, 'model.json')).body.toString());
    expect(handed.model.name).toBe('vgg-leaky.onnx');
    expect(handed.external.map(({ name }: { name: string }) => name)).toEqual(['vgg-leaky.onnx.data']);
    for (const { name, url } of [handed.model, ...handed.external]) {
      const { body } = await ask(ui.url, url);
      expect(body.equals(await readFile(models + name)), name).toBe(true);
    }
    for (const script of page.body.toString().match(/assets\/[\w.-]+\.js/g) ?? []) {
      expect((await ask(ui.url, script)).headers['content-type']).toMatch(/^text\/javascript/);
    }
    expect((await ask(ui.url, 'ort/ort-wasm-simd-threaded.wasm')).headers['content-type']).toBe(
      'application/wasm',
    );
    const port = ui.url.port;
    expect((await ask(ui.url, 'index.html', `localhost:${port}`)).status).toBe(200);
    for (const host of [`evil.example:${port}`, 'localhost', `127.0.0.1.evil.example:${port}`]) {
      expect((await ask(ui.url, 'index.html', host)).status, host).toBe(404);
    }
    expect((await ask(ui.url, '/index.html')).status).toBe(404); // its path is part of the secret
  } finally {
    expect(await ui.end()).toBe(130);
  }
});

test('what cannot be served is an error before anything listens', async () => {
  const folder = await tempFolder();
  await folder.write('text.onnx', 'no model');
  expect(await cli(['ui', 'absent.onnx', '--no-open'], { cwd: folder.path })).toMatchObject({ code: 2 });
  const { code, stderr } = await cli(['ui', 'text.onnx', '--no-open'], { cwd: folder.path });
  expect(code).toBe(2);
  expect(stderr).toContain('text.onnx');
  const ui = await startUi([]);
  try {
    const taken = await cli(['ui', '--no-open', '--port', ui.url.port]);
    expect(taken.code).toBe(2);
    expect(taken.stderr).toContain('Give another --port');
  } finally {
    await ui.end();
  }
});
