import { sha256 } from '../../base/sha256.js';
import { VERSION } from '../../base/version.js';
import type { PreparedOrRefused } from './prepare.js';

/** URL prefix of cache entries. The domain `.invalid` does not exist, so no request can reach a server. */
const OURS = 'https://onnx-mish.invalid/';
const ROOT = `${OURS}${VERSION}/`;

/** Prepared models in Cache Storage. A failure of the cache counts as a missing entry. */
export interface ModelCache {
  /** Returns the SHA-256 of the content with this validator, if the cache has one. */
  hashOf(validator: string): Promise<string | undefined>;
  /** Returns the model prepared from this content with these options; undefined if it is missing or damaged. */
  load(hash: string, options: string): Promise<PreparedOrRefused | undefined>;
  /** Stores a prepared model. Returns false if the browser refuses, usually because its storage is full. */
  store(
    hash: string,
    options: string,
    prepared: PreparedOrRefused,
    validator: string | undefined,
  ): Promise<boolean>;
}

/** A cache entry without the bytes of the model, which are a separate entry. */
interface Entry {
  readonly prepared: PreparedOrRefused;
  /** SHA-256 of the model. */
  readonly sha256?: string;
}

/** Opens the cache with this name. Returns undefined if the page has no Cache Storage, for example without HTTPS. */
export async function openCache(name: string): Promise<ModelCache | undefined> {
  const cache = await globalThis.caches?.open(name).catch(() => undefined);
  if (cache === undefined) return undefined;
  const entryAt = async (hash: string, options: string) => `${ROOT}${hash}/${await sha256(options)}`;
  const validatorAt = async (validator: string) => `${ROOT}validator/${await sha256(validator)}`;
  return {
    async hashOf(validator) {
      const entry = await cache.match(await validatorAt(validator)).catch(() => undefined);
      return entry?.text();
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
      } catch {} // the entry is damaged
      await cache.delete(at).catch(() => false);
      return undefined;
    },
    async store(hash, options, prepared, validator) {
      const at = await entryAt(hash, options);
      try {
        for (const { url } of await cache.keys())
          if (url.startsWith(OURS) && !url.startsWith(ROOT)) await cache.delete(url); // written by another version
        // The model is stored before the entry that refers to it.
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
        return false; // no room: the browser keeps older entries
      }
    },
  };
}
