import { VERSION } from '../../base/version.js';
import type { Prepared } from './prepare.js';

/** Entries have addresses that nobody can ask a server for. */
const OURS = 'https://onnx-mish.invalid/';
const ROOT = `${OURS}${VERSION}/`;

/** Models that were made ready before, in Cache Storage. What it cannot do is as if it were not there. */
export interface ModelCache {
  /** SHA-256 of the content that had this validator, if that is known. */
  hashOf(validator: string): Promise<string | undefined>;
  /** What was made of this content with these options, unless it is not there or is damaged. */
  load(hash: string, options: string): Promise<Prepared | undefined>;
  /** Keeps what was made. False where there is no room. */
  store(hash: string, options: string, prepared: Prepared, validator: string | undefined): Promise<boolean>;
}

/** SHA-256 in hexadecimal digits. */
export async function sha256(bytes: Uint8Array | ArrayBuffer | string): Promise<string> {
  const data = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', data as Uint8Array<ArrayBuffer>));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** What an entry says of itself; the model is an entry of its own. */
interface Entry {
  readonly prepared: Prepared;
  /** SHA-256 of the model. */
  readonly sha256?: string;
}

/** Opens the cache of this name; undefined where the page has no Cache Storage, as outside of a secure context. */
export async function openCache(name: string): Promise<ModelCache | undefined> {
  const cache = await globalThis.caches?.open(name).catch(() => undefined);
  if (cache === undefined) return undefined;
  const entryAt = async (hash: string, options: string) => `${ROOT}${hash}/${await sha256(options)}`;
  const validatorAt = async (validator: string) => `${ROOT}validator/${await sha256(validator)}`;
  return {
    async hashOf(validator) {
      return (await cache.match(await validatorAt(validator)))?.text();
    },
    async load(hash, options) {
      const at = await entryAt(hash, options);
      try {
        const entry: Entry | undefined = await (await cache.match(at))?.json();
        if (entry === undefined || !entry.prepared.ready) return entry?.prepared;
        const model = new Uint8Array(
          await ((await cache.match(`${at}/model`))?.arrayBuffer() ?? new ArrayBuffer()),
        );
        if ((await sha256(model)) === entry.sha256) return { ...entry.prepared, model };
      } catch {} // damaged in another way
      await cache.delete(at);
      return undefined;
    },
    async store(hash, options, prepared, validator) {
      const at = await entryAt(hash, options);
      try {
        for (const { url } of await cache.keys())
          if (url.startsWith(OURS) && !url.startsWith(ROOT)) await cache.delete(url); // of another version
        // What speaks of a model comes after it.
        if (prepared.ready) {
          const model = prepared.model as Uint8Array<ArrayBuffer>;
          await cache.put(`${at}/model`, new Response(new Blob([model])));
          const entry: Entry = {
            prepared: { ...prepared, model: new Uint8Array() },
            sha256: await sha256(model),
          };
          await cache.put(at, Response.json(entry));
        } else await cache.put(at, Response.json({ prepared } satisfies Entry));
        if (validator !== undefined) await cache.put(await validatorAt(validator), new Response(hash));
        return true;
      } catch {
        return false; // no room: the browser keeps what it had
      }
    },
  };
}
