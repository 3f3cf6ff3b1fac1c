import { once } from 'node:events';
import { readFile, rm, symlink } from 'node:fs/promises';
import { get } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { dataFiles, openDataFile } from '../../../src/files/external-data.js';
import { scan } from '../../../src/onnx/scan.js';
import { cli, start } from '../../support/cli.js';
import { BIAS_BYTES, externalModel } from '../../support/external.js';
import { tempFolder } from '../../support/folder.js';
import { failure } from '../../support/graph.js';

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

test('a file that cannot be served is an error before the server starts', async () => {
  const folder = await tempFolder();
  await folder.write('text.onnx', 'no model');
  expect(await cli(['ui', 'absent.onnx', '--no-open'], { cwd: folder.path })).toMatchObject({ code: 2 });
  const { code, stderr } = await cli(['ui', 'text.onnx', '--no-open'], { cwd: folder.path });
  expect(code).toBe(2);
  expect(stderr).toContain('text.onnx');
  // An empty variable of a shell must not open the page to the network.
  const empty = await cli(['ui', '--no-open', '--host', '']);
  expect([empty.code, empty.stderr]).toEqual([
    2,
    expect.stringContaining('the address to listen on is empty'),
  ]);
  const ui = await startUi([]);
  try {
    const taken = await cli(['ui', '--no-open', '--port', ui.url.port]);
    expect(taken.code).toBe(2);
    expect(taken.stderr).toContain('Give another --port');
  } finally {
    await ui.end();
  }
});

test('the checked file is served, even if another file has its name by then', async () => {
  const folder = await tempFolder();
  const model = await folder.write('m.onnx', externalModel('m.bin'));
  const data = await folder.write('m.bin', BIAS_BYTES);
  const secret = await folder.write('secret', 'not for anybody');
  const ui = await startUi([model]);
  try {
    const whole = await readFile(model);
    for (const name of [model, data]) {
      await rm(name);
      await symlink(secret, name);
    }
    expect((await ask(ui.url, 'model/model.onnx')).body.equals(whole)).toBe(true);
    // Twice, since a descriptor has a place of its own.
    for (const _ of [1, 2]) expect((await ask(ui.url, 'model/0')).body).toEqual(Buffer.from(BIAS_BYTES));
  } finally {
    expect(await ui.end()).toBe(130);
  }
});

test('a data file that is replaced after the check is refused', async () => {
  const folder = await tempFolder();
  await folder.write('m.bin', BIAS_BYTES);
  const document = await scan(externalModel('m.bin'));
  const [file] = await dataFiles(document, folder.path);
  if (file === undefined) throw new Error('there is no data file');
  await (await openDataFile(file)).close();
  await rm(file.path);
  await symlink(await folder.write('other', BIAS_BYTES), file.path);
  expect(await failure(openDataFile(file))).toMatchObject({ code: 'io', where: file.path });
});
