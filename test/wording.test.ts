// The rules of wording that a program can check. What does not keep them yet is listed; the lists only get shorter: lower a
// number, or remove a name, when you mend one.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../src/', import.meta.url));

interface Exported {
  readonly file: string;
  readonly name: string;
  readonly kind: 'function' | 'type' | 'constant';
  /** Text of the docstring; empty where there is none. */
  readonly doc: string;
  /** Code from the name on, as far as the next blank line. */
  readonly code: string;
}

const FUNCTION = /^\s*(:[^=]*)?=\s*(async\s*)?(<[^>]*>)?\([^)]*\)\s*(:[^=]*)?=>/;

const exported: readonly Exported[] = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.tsx?$/.test(file) && !file.endsWith('.d.ts'))
  .flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    const all = text.matchAll(
      /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n)?^export (?:async )?(function|interface|type|class|const)\*? (\w+)((?:(?!\n\n)[\s\S])*)/gm,
    );
    return [...all].map(([, doc = '', word = '', name = '', code = '']): Exported => {
      const isFunction = word === 'function' || (word === 'const' && FUNCTION.test(code));
      const kind = isFunction ? 'function' : word === 'const' ? 'constant' : 'type';
      return { file, name, kind, doc: doc.replace(/^\s*\*/gm, '').trim(), code };
    });
  });

/** How many of these each folder has. */
function perFolder(found: readonly Exported[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { file } of found) {
    const folder = file.includes('/') ? (file.split('/')[0] ?? '') : '';
    counts[folder] = (counts[folder] ?? 0) + 1;
  }
  return counts;
}

/** Holds that no folder has more of these than are known, with their names where one has. */
function expectNoMore(found: readonly Exported[], known: Readonly<Record<string, number>>): void {
  const counts = perFolder(found);
  const grown = Object.keys(counts).filter((folder) => (counts[folder] ?? 0) > (known[folder] ?? 0));
  const names = found
    .filter(({ file }) => grown.some((folder) => file.startsWith(`${folder}/`)))
    .map(({ file, name, doc }) => `${file}: ${name}: ${doc.split('\n')[0]}`);
  expect(grown, names.join('\n')).toEqual([]);
}

/** First words that end in s and are no verbs. */
const NOUNS = /^(Nodes|Bytes|Tensors|Files|Inputs|Outputs|Operators|Terms|Sites|Settings|Dimensions|Facts)$/;

const beginsWithVerb = ({ doc }: Exported) => {
  const [first = ''] = doc.split(/[\s,.:;]/);
  return /^[A-Z][a-z]+s$/.test(first) && !NOUNS.test(first);
};

/** First words of what is no noun of the field. */
const NO_NOUN =
  /^(What|Of|So|Whether|How|Where|Why|When|Which|To|In|For|By|As|Is|It|Told|Only|From|On|With|At|If|Not)\b/;

/** Exported functions whose docstring does not begin with a verb in the third person, by folder. */
const FUNCTIONS_LEFT: Readonly<Record<string, number>> = {};

/** Exported types whose docstring does not begin with a noun, by folder. */
const TYPES_LEFT: Readonly<Record<string, number>> = {
  web: 1,
};

describe('the docstring', () => {
  test('of an exported function begins with a verb: “Reads”, “Returns”', () => {
    const functions = exported.filter(({ kind, doc }) => kind === 'function' && doc !== '');
    expect(functions.length).toBeGreaterThan(300);
    expectNoMore(
      functions.filter((one) => !beginsWithVerb(one)),
      FUNCTIONS_LEFT,
    );
  });

  test('of an exported type begins with a noun', () => {
    const types = exported.filter(({ kind, doc }) => kind === 'type' && doc !== '');
    expect(types.length).toBeGreaterThan(200);
    expectNoMore(
      types.filter(({ doc }) => NO_NOUN.test(doc)),
      TYPES_LEFT,
    );
  });
});

/** Words that say what a number counts or measures. */
const QUANTITY =
  /(^|_)(MAX|MIN|DEFAULT|MS|SECONDS|BYTES|CHARACTERS|PIXELS|SAMPLES|RUNS|PAIRS|JOBS|OPSET|VERSION|LENGTH|WIDTH|HEIGHT|RATE|RATIO|DIVISOR|SHARE|VALIDATIONS)(_|$)/;

/** Field numbers of protobuf messages, and what is not named by its quantity yet. */
const NUMBERS_LEFT = ['METADATA', 'NOISES'];

test('an exported number is named by its quantity or unit', () => {
  const numbers = exported.filter(
    ({ kind, code }) => kind === 'constant' && /^(: number)? = -?[\d(]/.test(code),
  );
  expect(numbers.length).toBeGreaterThan(10);
  const unnamed = numbers.filter(({ name }) => !QUANTITY.test(name)).map(({ name }) => name);
  expect(unnamed.filter((name) => !NUMBERS_LEFT.includes(name))).toEqual([]);
});

/** Names of one role that each command has a version of. */
const ROLES = ['command', 'run', 'Flags'];

/** Names that still mean two things. */
const TWICE_LEFT = [
  ...[
    'Answer',
    'Calls',
    'Candidate',
    'Chart',
    'Comparison',
    'Constant',
    'CONTAINER',
    'DataMaker',
    'Facts',
    'Field',
  ],
  ...[
    'Input',
    'Inputs',
    'Moments',
    'MomentsMeter',
    'Opened',
    'Pairs',
    'Part',
    'Place',
    'Placement',
    'Prepared',
  ],
  ...[
    'Problem',
    'Request',
    'Run',
    'Runtime',
    'SwappedModel',
    'Target',
    'Tensor',
    'Value',
    'Verdict',
    'Written',
  ],
  ...[
    'accuracy',
    'collect',
    'columns',
    'compare',
    'count',
    'dimsOf',
    'figure',
    'mean',
    'measure',
    'momentsMeter',
  ],
  ...['openModel', 'sha256', 'sweep', 'takeBack', 'writeText'],
];

test('an exported name means one thing', () => {
  const files = new Map<string, Set<string>>();
  for (const { name, file } of exported) files.set(name, (files.get(name) ?? new Set()).add(file));
  const twice = [...files].filter(([, of]) => of.size > 1);
  const found = twice.filter(([name]) => !ROLES.includes(name) && !TWICE_LEFT.includes(name));
  expect(found.map(([name, of]) => `${name}: ${[...of].join(', ')}`)).toEqual([]);
});

/** Names for which the glossary has another word. */
const OLD_WORDS = [
  ...['Base', 'ReadModel', 'Read', 'Part', 'Aim', 'Lesson', 'Moving', 'advance', 'descend', 'RATE', 'SLOWER'],
  ...['SLOWEST', 'TOO_MUCH', 'LOOKS', 'SCOUTS', 'Harm', 'harmlessness', 'Judgement', 'Kept', 'keepWithin'],
  ...[
    'takeBack',
    'bends',
    'BentSite',
    'letThrough',
    'parting',
    'Parting',
    'firstParting',
    'withChanged',
    'tap',
  ],
  ...[
    'suspicions',
    'mistakes',
    'LeftAlone',
    'wants',
    'leak',
    'told',
    'said',
    'says',
    'words',
    'Target',
    'own',
  ],
];

/** Public names, which stay. */
const PUBLIC = ['BentSite', 'firstParting', 'Harm', 'Judgement', 'Kept', 'keepWithin', 'Target'];

/** Old words that are still exported. */
const OLD_LEFT = ['Part', 'own', 'parting', 'Parting', 'words'];

test('no exported name is an old word', () => {
  const found = exported.filter(
    ({ name }) => OLD_WORDS.includes(name) && ![...PUBLIC, ...OLD_LEFT].includes(name),
  );
  expect(found.map(({ name, file }) => `${file}: ${name}`)).toEqual([]);
});
