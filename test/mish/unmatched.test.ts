import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inspect } from '../../src/mish/inspect.js';
import { swap } from '../../src/mish/swap.js';
import { model, node } from '../support/model.js';

const NAMES = ['stem', 'block1/act', 'block2/act', 'head'];

/** A chain of activations by these operators, with NAMES. */
const chain = (operators: readonly string[]) =>
  model({
    nodes: operators.map((operator, at) => {
      const [from, to] = [at === 0 ? 'x' : `v${at}`, at === NAMES.length - 1 ? 'y' : `v${at + 1}`];
      return node(operator, [from], [to], {}, { name: NAMES[at] ?? '' });
    }),
  });
const globs = fc.array(fc.constantFrom('stem', 'block*', '*act', 'haed', 'v9', 'blok*', 'y'), {
  ...{ minLength: 1, maxLength: 4 },
});
const WRONG = ['haed', 'v9', 'blok*'];
/** The indices of the activations that a right glob matches. */
const MATCHES: Readonly<Record<string, readonly number[]>> = {
  ...{ stem: [0], 'block*': [1, 2], '*act': [1, 2], y: [3] },
};

test('each glob that matches no activation has a note, and no other has one', async () => {
  const bytes = chain(NAMES.map(() => 'Relu'));
  await fc.assert(
    fc.asyncProperty(globs, fc.constantFrom('include', 'exclude'), async (given, option) => {
      const { report } = await swap(bytes, { [option]: given });
      const expected = new Set(given.filter((glob) => WRONG.includes(glob)));
      const notes = report.notes.filter((note) => note.startsWith('no activation matches'));
      expect(notes).toEqual([...expected].map((glob) => `no activation matches '${glob}'`));
      for (const note of notes) expect(report.noteOptions?.[note]).toEqual({ [option]: null });

      const inspection = await inspect(bytes, { [option]: given });
      expect(inspection.notes).toEqual(notes);
      for (const note of notes) expect(inspection.noteOptions?.[note]).toEqual({ [option]: null });
    }),
    { numRuns: 40, seed: 1 },
  );
});

const KINDS: Readonly<Record<string, string>> = {
  ...{ Relu: 'relu', LeakyRelu: 'leakyrelu', Elu: 'elu', HardSwish: 'hardswish' },
};
const BY_DEFAULT = ['relu', 'leakyrelu'];

test('an activation of a kind that stays is a match: exclude has no note, and include says which kind it is', async () => {
  const operators = fc.array(fc.constantFrom(...Object.keys(KINDS)), { minLength: 4, maxLength: 4 });
  const to = fc.constantFrom('mish' as const, 'relu' as const, 'leakyrelu' as const, 'elu' as const);
  await fc.assert(
    fc.asyncProperty(operators, globs, to, async (operators, given, to) => {
      const bytes = chain(operators);
      const kindsOf = (glob: string) =>
        new Set((MATCHES[glob] ?? []).map((at) => KINDS[operators[at] ?? ''] ?? ''));
      const { report: excluding } = await swap(bytes, { to, exclude: given });
      const wrong = [...new Set(given.filter((glob) => WRONG.includes(glob)))];
      expect(excluding.notes.filter((note) => note.includes('matches'))).toEqual(
        wrong.map((glob) => `no activation matches '${glob}'`),
      );

      const { report: including } = await swap(bytes, { to, include: given });
      const expected = [...new Set(given)].flatMap((glob) => {
        const kinds = [...kindsOf(glob)];
        if (kinds.length === 0) return `no activation matches '${glob}'`;
        if (kinds.some((kind) => kind !== to && BY_DEFAULT.includes(kind))) return [];
        const onRequest = kinds.filter((kind) => kind !== to);
        if (onRequest.length === 0) return `'${glob}' matches ${to}, which is to be written`;
        return `'${glob}' matches ${onRequest.join(' and ')}, which a swap takes on request`;
      });
      expect(including.notes.filter((note) => note.includes('matches'))).toEqual(expected);
    }),
    { numRuns: 60, seed: 2 },
  );
});

test('the advice for a kind that a swap takes on request swaps it', async () => {
  const bytes = chain(['Relu', 'Elu', 'HardSwish', 'Relu']);
  const { report } = await swap(bytes, { include: ['block*'] });
  const note = "'block*' matches elu and hardswish, which a swap takes on request";
  expect(report.notes).toContain(note);
  expect(report.noteOptions?.[note]).toEqual({ only: 'elu,hardswish' });
  const { report: second } = await swap(bytes, { include: ['block*'], only: ['elu', 'hardswish'] });
  expect(second.sites.map(({ label }) => label)).toEqual(['block1/act', 'block2/act']);
  expect(second.notes.join()).not.toContain('matches');
});

test('kinds that the model lacks have a note, unless it has an activation of another of the kinds', async () => {
  const bytes = chain(['Relu', 'Elu', 'Relu', 'Relu']);
  for (const only of [['swish'], ['gelu', 'hardswish'], ['swish', 'elu'], ['relu']]) {
    const expected = only.some((kind) => ['relu', 'elu'].includes(kind))
      ? []
      : [`the model has no ${only.join(' and no ')} to swap`];
    const isOnKinds = (note: string) => note.startsWith('the model has no');
    expect((await swap(bytes, { only })).report.notes.filter(isOnKinds)).toEqual(expected);
    expect((await inspect(bytes, { only })).notes).toEqual(expected);
  }
});
