// Models of other people, from one activation to the next and back.
import { describe, expect, test } from 'vitest';
import type { ReplacementName } from '../../src/mish/activation-kinds.js';
import { undo } from '../../src/mish/history.js';
import { inspect } from '../../src/mish/inspect.js';
import { swap } from '../../src/mish/swap.js';
import { everyNth } from '../support/heavy.js';
import { bytesOf, REAL_MODELS } from '../support/models.js';
import { load } from '../support/run.js';

const CHAIN: readonly ReplacementName[] = ['elu', 'mish', 'hardswish', 'gelu', 'leakyrelu', 'swish', 'relu'];

const NAMES = ['embedding', 'jarvis', 'classifier', 'vad'] as const;

describe.each(everyNth(2, NAMES))('%s', (name) => {
  test('goes through all activations: no site is lost, each model loads, and undo gives the bytes before', async () => {
    let bytes = bytesOf(REAL_MODELS[name]);
    let kind: string | undefined;
    let before = (await inspect(bytes)).sites.length;
    for (const to of CHAIN) {
      const { output, report } = await swap(bytes, { to, only: kind === undefined ? undefined : [kind] });
      const after = await output.bytes();
      expect(report.skipped).toEqual([]);
      const { kinds } = await inspect(after);
      expect([report.sites.length, kinds[to]], to).toEqual([before, before + (others(to, name) ?? 0)]);
      await (await load(after)).release();
      expect(Buffer.compare(await (await undo(after)).bytes(), bytes)).toBe(0);
      [bytes, kind, before] = [after, to, kinds[to] ?? 0];
    }
  });
});

/** The text classifier has 18 hard swishes, which join the sites when these are hard swishes. */
const others = (to: string, name: string) => (name === 'classifier' && to === 'hardswish' ? 18 : undefined);
