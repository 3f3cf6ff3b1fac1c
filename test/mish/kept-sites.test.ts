import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { inspect } from '../../src/mish/inspect.js';
import { bytesOf, REAL_MODELS } from '../support/models.js';
import kept from './kept-sites.json' with { type: 'json' };

const folder = fileURLToPath(new URL('../../models/', import.meta.url));
const own = readdirSync(folder).filter((name) => name.endsWith('.onnx'));
const counts: Record<string, { before: number; after: number }> = kept.models;

test('no site of models that others trained is lost to guards, clamps, masks and scales', async () => {
  expect(kept.lost).toBe(0);
  for (const path of [...Object.values(REAL_MODELS), ...own.map((name) => folder + name)]) {
    const { sites } = await inspect(bytesOf(path));
    expect([path, sites.length]).toEqual([path, counts[basename(path)]?.before]);
  }
});
