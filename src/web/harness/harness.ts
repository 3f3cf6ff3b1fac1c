// Code of the page that a browser provider opens: it runs ONNX Runtime Web for the process that started the browser.
import type * as Ort from 'onnxruntime-web';
import { messageOf } from '../../base/error.js';
import type { Harness } from '../../providers/browser/protocol.js';
import { decodeTensors, encodeTensors } from '../../providers/transfer.js';
import { loadRuntime, type OrtFeeds, type WebRuntime } from './runtime.js';

let runtime: WebRuntime;
const sessions = new Map<number, Ort.InferenceSession>();
/** Feeds that several runs use, by URL. */
const feedsByUrl = new Map<string, OrtFeeds>();

const harness: Harness = {
  async start({ provider, threads }) {
    runtime = await loadRuntime(provider, new URL('.', document.baseURI).href, threads);
    return runtime.facts;
  },

  async open({ id, model, external, optimisation, unfused }) {
    const data = external.map(({ path, url }) => ({ path, data: url }));
    const { session, ...opened } = await runtime.open({ model, external: data, optimisation, unfused });
    sessions.set(id, session);
    return opened;
  },

  async run({ id, feeds, results }) {
    const tensors = await runtime.run(sessionOf(id), feedsByUrl.get(feeds) ?? (await fetchFeeds(feeds)));
    // A Blob: Chromium sends a Blob ten times as fast as an array.
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

/** Makes the methods callable for the process. An exception becomes a result with `error`. */
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
  const feeds = feedsByUrl.get(url) ?? (await fetchFeeds(url));
  feedsByUrl.set(url, feeds);
  return feeds;
}

async function fetchFeeds(url: string): Promise<OrtFeeds> {
  const response = await transfer(url);
  return runtime.toFeeds(decodeTensors(new Uint8Array(await response.arrayBuffer())));
}

async function transfer(url: string, options?: RequestInit): Promise<Response> {
  const response = await fetch(url, options).catch(() => undefined);
  if (response?.ok) return response;
  throw new Error('the page cannot exchange tensors with the process that started the browser');
}
