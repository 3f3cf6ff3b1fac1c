import { expect } from 'vitest';
import { align } from './wire.js';

const SITES = new Set(['Relu', 'LeakyRelu']);

/** All but the replaced nodes, the new ones and the record is the source's, in order. */
export function checkSplice(source: Uint8Array, output: Uint8Array, sites: number): void {
  const { removed, inserted } = align(source, output, SITES);
  expect(removed).toHaveLength(sites);
  const metadata = inserted.filter(({ level }) => level === 'model').map(({ field }) => field.number);
  expect(metadata).toEqual([14, 14]);
  for (const { level, field } of inserted) {
    if (level === 'model') continue;
    expect([level, field.number]).toEqual(level === 'graph' ? ['graph', 1] : ['function', 7]);
  }
}
