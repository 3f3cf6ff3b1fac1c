import { expect, test, vi } from 'vitest';
import { openCache } from '../../src/web/session/cache.js';
import type { PreparedOrRefused } from '../../src/web/session/prepare.js';

const METHODS = ['match', 'put', 'delete', 'keys'] as const;
type Method = (typeof METHODS)[number];

/** A Cache whose chosen methods fail, as those of a browser with a broken profile do. */
function brokenCache(broken: readonly Method[]) {
  const entries = new Map<string, Response>();
  const works = {
    match: async (url: string) => entries.get(url)?.clone(),
    put: async (url: string, response: Response) => void entries.set(url, response),
    delete: async (url: string) => entries.delete(url),
    keys: async () => [...entries.keys()].map((url) => ({ url })),
  };
  const fails = () => Promise.reject(new DOMException('the storage is broken', 'UnknownError'));
  return { ...works, ...Object.fromEntries(broken.map((name) => [name, fails])) };
}

const REFUSED: PreparedOrRefused = { ready: false, refusal: { provider: 'webgl', reason: 'too large' } };

test('a failure of the cache counts as a missing entry, whatever fails', async () => {
  for (let choice = 0; choice < 2 ** METHODS.length; choice++) {
    const broken = METHODS.filter((_, at) => choice & (1 << at));
    vi.stubGlobal('caches', { open: async () => brokenCache(broken) });
    const cache = await openCache('models');
    vi.unstubAllGlobals();
    const isStored = await cache?.store('hash', 'options', REFUSED, 'tag');
    expect(isStored, broken.join()).toBe(!broken.includes('put') && !broken.includes('keys'));
    const isKept = isStored && !broken.includes('match');
    expect(await cache?.hashOf('tag'), broken.join()).toBe(isKept ? 'hash' : undefined);
    expect(await cache?.load('hash', 'options'), broken.join()).toEqual(isKept ? REFUSED : undefined);
  }
});
