import { readdirSync, statSync } from 'node:fs';
import { Server } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { findBrowser } from '../../../src/providers/browser/find.js';
import { type BrowserSettings, browserProvider } from '../../../src/providers/browser/provider.js';
import type { WebProvider } from '../../../src/providers/web-providers.js';
import { tempFolder } from '../../support/folder.js';
import { everyNth } from '../../support/heavy.js';
import { type Listener, listeners } from '../../support/listeners.js';
import { model, node, value } from '../../support/model.js';
import { LINUX_ONLY, needs } from '../../support/needs.js';
import { type Descendant, descendants } from '../../support/processes.js';

const browsers = () => descendants().filter(({ args }) => args.includes('--user-data-dir'));

const relu = model({
  nodes: [node('Relu', ['x'], ['y'])],
  inputs: [value('x', 1, [1])],
  outputs: [value('y', 1, [1])],
});
const feeds = { x: { elemType: 'f32', dims: [1], data: Float32Array.of(-1) } };

/** Signals the browser's processes of a kind: all of them, as some browsers keep renderers in reserve. */
function signalAll(type: string, signal: NodeJS.Signals): void {
  const found = descendants().filter(({ args }) => args.includes(`--type=${type} `));
  if (found.length === 0) throw new Error(`no process of type ${type}`);
  for (const { pid } of found) process.kill(pid, signal);
}

/** The browser itself is the one without a type. */
function main(): Descendant {
  const found = browsers().find(({ args }) => !args.includes('--type='));
  if (found === undefined) throw new Error('no browser');
  return found;
}

/** Runs until something happens, which is done once it runs. */
async function during(name: WebProvider, accident: () => void, settings?: BrowserSettings) {
  const provider = browserProvider(name, settings);
  try {
    const session = await provider.open(relu);
    const endless = session.pairs?.(session, [feeds, feeds], 1e9, 0);
    endless?.catch(() => {});
    accident();
    const error = await endless?.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    await session.close(); // of a session that is gone
    return { provider, error };
  } catch (error) {
    await provider.close?.();
    throw error;
  }
}

describe('a browser', () => {
  needs(process.platform === 'linux', LINUX_ONLY);
  // In a temporary folder of its own, since other tests have browsers too, which come and go.
  let temporary = '';
  beforeEach(async () => {
    await findBrowser(); // which unpacks the package's, once for all
    temporary = (await tempFolder()).path;
    vi.stubEnv('ONNX_MISH_BROWSER', (await findBrowser()).path);
    vi.stubEnv('TMPDIR', temporary);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    expect(browsers()).toEqual([]);
    expect(readdirSync(temporary)).toEqual([]);
  });

  test('that is killed ends what runs, and the next one starts', async () => {
    const { provider, error } = await during('wasm', () => process.kill(main().pid, 'SIGKILL'));
    expect(error).toMatchObject({ code: 'run-failed' });
    expect(String(error)).toMatch(/browser ended|does not respond/);
    const session = await provider.open(relu);
    expect((await session.run(feeds)).y?.data).toEqual(Float32Array.of(0));
    await provider.close?.();
  });

  test('whose page crashes says so', async () => {
    const { provider, error } = await during('wasm', () => signalAll('renderer', 'SIGKILL'));
    expect(error).toMatchObject({ code: 'run-failed', what: 'the page crashed', fix: /Memory/ });
    const session = await provider.open(relu);
    expect((await session.run(feeds)).y?.data).toEqual(Float32Array.of(0));
    await provider.close?.();
  });

  test('whose page hangs is given up', async () => {
    const { provider, error } = await during('wasm', () => signalAll('renderer', 'SIGSTOP'), {
      timeoutMs: 5000,
    });
    expect(error).toMatchObject({
      code: 'run-failed',
      what: 'the page did not answer within 5 s (pairs)',
      fix: 'Allow more time',
      option: { timeoutMs: null },
    });
    await provider.close?.();
  });

  test('that loses its GPU says so', async () => {
    const { provider, error } = await during('webgl', () => signalAll('gpu-process', 'SIGKILL'));
    expect(error).toMatchObject({ code: 'run-failed', what: 'the WebGL context was lost' });
    await provider.close?.();
  });

  test('whose server closes says so', async () => {
    // Handles of this process: the server that the page gets its tensors from.
    const servers = () =>
      (process as unknown as { _getActiveHandles(): unknown[] })
        ._getActiveHandles()
        .filter((handle) => handle instanceof Server && handle.listening);
    const before = new Set(servers());
    const provider = browserProvider('wasm');
    const session = await provider.open(relu);
    const opened = servers().filter((server) => !before.has(server)) as Server[];
    expect(opened).toHaveLength(1);
    opened[0]?.close();
    opened[0]?.closeAllConnections();
    await expect(session.run(feeds)).rejects.toThrow(
      expect.objectContaining({
        code: 'run-failed',
        what: expect.stringMatching(/cannot exchange tensors with the process/),
      }),
    );
    await provider.close?.();
  });

  test('that is closed says so to its sessions, and takes no session of another browser', async () => {
    const [provider, second] = [browserProvider('wasm'), browserProvider('wasm')];
    try {
      const [session, other] = [await provider.open(relu), await second.open(relu)];
      await expect(session.pairs?.(other, [feeds, feeds], 1, 0)).rejects.toMatchObject({
        what: 'the two sessions are on different pages',
      });
      const endless = session.pairs?.(session, [feeds, feeds], 1e9, 0);
      const ended = expect(endless).rejects.toMatchObject({ code: 'run-failed', what: 'the page is closed' });
      await Promise.all([provider.close?.(), second.close?.()]);
      await ended;
      for (const one of [session, other]) {
        const late = [
          () => one.run(feeds),
          () => one.time(feeds),
          async () => one.pairs?.(one, [feeds, feeds], 1, 0),
        ];
        for (const call of late)
          await expect(call()).rejects.toMatchObject({ code: 'run-failed', what: 'the page is closed' });
        await one.close();
      }
    } finally {
      await Promise.all([provider.close?.(), second.close?.()]);
    }
  });

  test('brings no listener but ours, which is the page’s server', async () => {
    const before = new Set(listeners().map(({ address }) => address));
    const seen = new Map<string, Listener>();
    const look = () => {
      for (const one of listeners()) if (!before.has(one.address)) seen.set(one.address, one);
    };
    const timer = setInterval(look, 250);
    const provider = browserProvider('webgl');
    await (await provider.open(relu)).run(feeds);
    look();
    clearInterval(timer);
    expect(browsers().length).toBeGreaterThan(0);
    const open = [...seen.values()];
    const ports = open.filter(({ kind }) => kind !== 'unix');
    // 0100007F is 127.0.0.1. Where the GPU is missed, a second browser with a server of its own comes after the first.
    expect(ports.length).toBeGreaterThan(0);
    expect(ports.length).toBeLessThan(3);
    for (const port of ports) {
      expect(port).toMatchObject({
        pid: process.pid,
        kind: 'tcp',
        address: expect.stringMatching(/^0100007F:/),
      });
    }
    // What a browser has in the file system lies in a folder that nobody else may enter.
    for (const { kind, address } of open) {
      if (kind === 'unix') expect(address).toMatch(new RegExp(`^${temporary}/onnx-mish-browser-`));
    }
    const [folder = ''] = readdirSync(temporary);
    expect(statSync(join(temporary, folder)).mode & 0o777).toBe(0o700);
    await provider.close?.();
  });

  test.each(everyNth(3, [150, 0, 400]))('that is told to end while it starts, after %d ms', async (ms) => {
    const controller = new AbortController();
    const provider = browserProvider('wasm', { signal: controller.signal });
    const opening = provider.open(relu);
    setTimeout(() => controller.abort(), ms);
    await expect(opening).rejects.toThrow(expect.objectContaining({ code: 'aborted' }));
    await provider.close?.();
    await vi.waitFor(() => expect([browsers(), readdirSync(temporary)]).toEqual([[], []]), { timeout: 5000 });
  });

  test('ends when it is told to, in the middle of a run', async () => {
    const controller = new AbortController();
    const { provider, error } = await during('wasm', () => controller.abort(), { signal: controller.signal });
    expect(error).toMatchObject({ code: 'aborted' });
    await expect(provider.open(relu)).rejects.toThrow(expect.objectContaining({ code: 'aborted' }));
    await provider.close?.();
  });

  test('that cannot be started is not there, with the reason', async () => {
    const provider = browserProvider('wasm', { browser: '/bin/false' });
    expect(await provider.availability()).toMatchObject({
      available: false,
      reason: expect.stringMatching(/does not start.*\/bin\/false/),
      fix: expect.stringMatching(/name another/),
      option: { browser: null },
    });
  });
});
