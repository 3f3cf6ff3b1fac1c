import { OnnxMishError } from '../../base/error.js';
import { type DataFile, openDataFile } from '../../files/external-data.js';
import { isPath, type RunnableModel, type Runtime, type Session, type SessionOptions } from '../provider.js';
import type { Tensors } from '../tensor.js';
import { decodeTensors, encodeTensors } from '../transfer.js';
import type { Page } from './page.js';
import type { PreparedModel } from './prepare.js';
import type { CallResult, PageFacts } from './protocol.js';
import type { Content } from './server.js';

/** Page that has loaded ONNX Runtime. */
export interface Started {
  readonly page: Page;
  readonly facts: PageFacts;
}

/** Model and data files that are sent to a page. */
export interface SentModel extends PreparedModel {
  readonly original: RunnableModel;
  readonly data: readonly DataFile[];
}

let nextId = 0;
/** The page of each session, and the number of the session there. */
const places = new WeakMap<Session, { readonly page: Page; readonly id: number }>();

/** Sends a model to the page, and opens a session with it there. */
export async function openSession(
  { page, facts }: Started,
  model: SentModel,
  options: SessionOptions = {},
): Promise<Session> {
  const id = nextId++;
  const offers = offersOf(page);
  const opened = await sendModel(page, id, model, options);
  /** Paths of the feeds that stay in the page. */
  const kept = new WeakMap<Tensors, string>();
  const keep = (feeds: Tensors): string => {
    const path = kept.get(feeds) ?? offers.offer(encodeTensors(feeds));
    kept.set(feeds, path);
    return path;
  };
  const session: Session = {
    inputs: opened.inputs,
    outputs: opened.outputs,
    createMs: opened.createMs,
    runtime: runtimeOf(page, facts),
    retargeted: model.retargeted,
    notes: model.notes,
    suspicions: model.suspicions,
    placement: opened.placement,
    async run(feeds) {
      const known = kept.get(feeds);
      const sent = known === undefined ? page.offer(encodeTensors(feeds)) : undefined;
      const results = page.receive();
      try {
        await page.call('run', { id, feeds: known ?? sent?.path ?? '', results: results.path });
        return decodeTensors(await results.bytes);
      } finally {
        sent?.withdraw();
        results.withdraw();
      }
    },
    time: (feeds) => page.call('time', { id, feeds: keep(feeds) }),
    async pairs(other, feeds, count, firstOfAll) {
      const theirs = places.get(other);
      if (theirs?.page !== page)
        throw new OnnxMishError('run-failed', 'the two sessions are on different pages');
      const sent = [keep(feeds[0]), keep(feeds[1])] as const;
      return page.call('pairs', { sessions: [id, theirs.id], feeds: sent, pairs: count, firstOfAll });
    },
    async close() {
      offers.withdraw();
      if (page.alive) await page.call('close', { id });
    },
  };
  places.set(session, { page, id });
  return session;
}

/** Opens the model in the page. Its files stay open and available until the page has read them. */
async function sendModel(
  page: Page,
  id: number,
  { original, model: changed, data, unfused }: SentModel,
  { optimisation = 'all' }: SessionOptions,
): Promise<CallResult<'open'>> {
  const model = changed ?? original;
  const { offer, withdraw } = offersOf(page);
  const closing: (() => Promise<void>)[] = [];
  try {
    const external: { path: string; url: string }[] = [];
    for (const file of data) {
      const { handle, size, close } = await openDataFile(file);
      closing.push(close);
      external.push({ path: file.location, url: offer({ handle, size }) });
    }
    const content = isPath(model) ? { file: model } : model;
    return await page.call('open', { id, model: offer(content), external, optimisation, unfused });
  } finally {
    withdraw();
    for (const close of closing) await close();
  }
}

/** Returns functions that offer content to the page, and withdraw all of it. */
function offersOf(page: Page) {
  const offered: { withdraw(): void }[] = [];
  return {
    /** Returns the path at which the page fetches the content. */
    offer(content: Content): string {
      const one = page.offer(content);
      offered.push(one);
      return one.path;
    },
    withdraw(): void {
      for (const one of offered.splice(0)) one.withdraw();
    },
  };
}

function runtimeOf(page: Page, { version, renderer, software, threads, simd }: PageFacts): Runtime {
  return { name: 'onnxruntime-web', version, browser: page.browser, renderer, software, threads, simd };
}
