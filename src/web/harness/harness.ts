// The page that a browser provider loads: ONNX Runtime Web, driven by the process that started the browser.
import type * as Ort from 'onnxruntime-web';
import { messageOf } from '../../base/error.js';
import type { Harness } from '../../providers/browser/protocol.js';
import { decodeTensors, encodeTensors } from '../../providers/transfer.js';
import { loadRuntime, type OrtFeeds, type WebRuntime } from './runtime.js';

let runtime: WebRuntime;
const sessions = new Map<number, Ort.InferenceSession>();
/** Feeds that are run again and again, by their address. */
const kept = new Map<string, OrtFeeds>();

const harness: Harness = {
  async start({ provider, threads }) {
    runtime = await loadRuntime(provider, new URL('.', document.baseURI).href, threads);
    return runtime.facts;
  },

  async open({ id, model, external, optimisation }) {
    const data = external.map(({ path, url }) => ({ path, data: url }));
    const { session, ...opened } = await runtime.open({ model, external: data, optimisation });
    sessions.set(id, session);
    return opened;
  },

  async run({ id, feeds, results }) {
    const tensors = await runtime.run(sessionOf(id), kept.get(feeds) ?? (await fetchFeeds(feeds)));
    // A Blob, which Chromium sends ten times as fast as the same bytes in an array.
    const body = new Blob([encodeTensors(tensors)]);
    await transfer(results, { method: 'POST', body });
  },

  async time({ id, feeds }) {
    return runtime.time(sessionOf(id), await keep(feeds));
  },

  async pairs({ sessions: [one, other], feeds, pairs, firstOfAll }) {
    const ready = [await keep(feeds[0]), await keep(feeds[1])] as const;
    return runtime.pairs({ sessions: [sessionOf(one), sessionOf(other)], feeds: ready, pairs, firstOfAll });
  },

  async close({ id }) {
    const session = sessions.get(id);
    sessions.delete(id);
    await session?.release();
  },
};

/** Each method as the process calls it: what is thrown becomes an answer. */
Object.assign(globalThis, {
  onnxMish: async (method: keyof Harness, request: never) => {
    try {
      return { value: await harness[method](request) };
    } catch (error) {
      return { error: messageOf(error) };
    }
  },
});

function sessionOf(id: number): Ort.InferenceSession {
  const session = sessions.get(id);
  if (session === undefined) throw new Error('the session is closed');
  return session;
}

async function keep(url: string): Promise<OrtFeeds> {
  const feeds = kept.get(url) ?? (await fetchFeeds(url));
  kept.set(url, feeds);
  return feeds;
}

async function fetchFeeds(url: string): Promise<OrtFeeds> {
  const response = await transfer(url);
  return runtime.toFeeds(decodeTensors(new Uint8Array(await response.arrayBuffer())));
}

async function transfer(url: string, options?: RequestInit): Promise<Response> {
  const response = await fetch(url, options).catch(() => undefined);
  if (response?.ok) return response;
  throw new Error('the page has lost the process that started it: tensors cannot get through');
}
