// The rules of wording that a program can check.
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
  /** Code from the name on, up to the next blank line, docstring or export. */
  readonly code: string;
}

const FUNCTION = /^\s*(:[^=]*)?=\s*(async\s*)?(<[^>]*>)?\([^)]*\)\s*(:[^=]*)?=>/;

const exported: readonly Exported[] = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.tsx?$/.test(file) && !file.endsWith('.d.ts'))
  .flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    const all = text.matchAll(
      /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n)?^export (?:async )?(function|interface|type|class|const)\*? (\w+)((?:(?!\n\n|\n\/\*\*|\nexport )[\s\S])*)/gm,
    );
    return [...all].map(([, doc = '', word = '', name = '', code = '']): Exported => {
      const isFunction = word === 'function' || (word === 'const' && FUNCTION.test(code));
      const kind = isFunction ? 'function' : word === 'const' ? 'constant' : 'type';
      return { file, name, kind, doc: doc.replace(/^\s*\*/gm, '').trim(), code };
    });
  });

/** Names these with their files and the first lines of their docstrings. */
const described = (found: readonly Exported[]) =>
  found.map(({ file, name, doc }) => `${file}: ${name}: ${doc.split('\n')[0]}`);

/** Holds that each exception is still needed. */
function expectNeeded(exceptions: readonly string[], found: readonly string[]): void {
  expect(exceptions.filter((name) => !found.includes(name))).toEqual([]);
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

describe('the docstring', () => {
  test('of an exported function begins with a verb: “Reads”, “Returns”', () => {
    const functions = exported.filter(({ kind, doc }) => kind === 'function' && doc !== '');
    expect(functions.length).toBeGreaterThan(300);
    expect(described(functions.filter((one) => !beginsWithVerb(one)))).toEqual([]);
  });

  test('of an exported type begins with a noun', () => {
    const types = exported.filter(({ kind, doc }) => kind === 'type' && doc !== '');
    expect(types.length).toBeGreaterThan(200);
    expect(described(types.filter(({ doc }) => NO_NOUN.test(doc)))).toEqual([]);
  });
});

/** Words that say what a number counts or measures. */
const QUANTITY =
  /(^|_)(MAX|MIN|DEFAULT|MS|SECONDS|BYTES|CHARACTERS|PIXELS|SAMPLES|RUNS|PAIRS|JOBS|OPSET|VERSION|LENGTH|WIDTH|HEIGHT|RATE|RATIO|DIVISOR|SHARE|VALIDATIONS|FIELD)(_|$)/;

test('an exported number is named by its quantity or unit', () => {
  const numbers = exported.filter(
    ({ kind, code }) => kind === 'constant' && /^(: number)? = -?[\d(]/.test(code),
  );
  expect(numbers.length).toBeGreaterThan(10);
  expect(described(numbers.filter(({ name }) => !QUANTITY.test(name)))).toEqual([]);
});

/** Names of one role that each command has a version of. */
const ROLES = ['command', 'run', 'Flags'];

test('an exported name means one thing', () => {
  const files = new Map<string, Set<string>>();
  for (const { name, file } of exported) files.set(name, (files.get(name) ?? new Set()).add(file));
  const twice = [...files].filter(([, of]) => of.size > 1);
  const found = twice.filter(([name]) => !ROLES.includes(name));
  expect(found.map(([name, of]) => `${name}: ${[...of].join(', ')}`)).toEqual([]);
  expectNeeded(
    ROLES,
    twice.map(([name]) => name),
  );
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

/** Public types, which stay. */
const PUBLIC = ['BentSite', 'Harm', 'Judgement', 'Kept', 'Target'];

test('no exported name is an old word', () => {
  const old = exported.filter(({ name }) => OLD_WORDS.includes(name));
  const found = old.filter(({ name }) => !PUBLIC.includes(name));
  expect(found.map(({ name, file }) => `${file}: ${name}`)).toEqual([]);
  expectNeeded(
    PUBLIC,
    old.map(({ name }) => name),
  );
});

/** A count in a template, and a plural after it. */
const COUNTED =
  /\$\{(?!plural\()[^{}\n]*\} (?:test |training |labelled |held-out )*(?:samples|runs|sites|labels|seeds|epochs|rows|classes|nodes|pairs|arrays|images|tensors|trials|convolutions|outputs|layers|models|weights)\b/g;

/** No counts, and counts that are never 1. */
const NEVER_ONE: readonly string[] = [
  'data/images.ts: what images',
  'data/shared-samples.ts: which test samples',
  'experiment/results.ts: seeds seeds',
  'finetune/start.ts: count training samples',
  'onnx/reader.ts: reader.most nodes',
  'providers/node/values.ts: elemType tensors',
  'train/insert-batch-norm.ts: inserted.length convolutions',
  'validate/kernel-sweep.ts: type tensors',
  'web/harness/runtime.ts: elemType tensors',
];

test('a count before a noun is written by `plural`, which knows 1', () => {
  const found = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file))
    .flatMap((file) =>
      [...readFileSync(join(root, file), 'utf8').matchAll(COUNTED)].map(
        ([text]) => `${file}: ${text.replace(/[${}]/g, '')}`,
      ),
    );
  expect(found.filter((one) => !NEVER_ONE.includes(one))).toEqual([]);
  expectNeeded(NEVER_ONE, found);
});

describe('a count', () => {
  /** Places where a length is not a count of things, or never reaches a thousand. */
  const WITHOUT = ['train/insert-batch-norm.ts'];
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.tsx?$/.test(file),
  );
  const findAll = (pattern: RegExp) =>
    files.filter((file) => pattern.test(readFileSync(join(root, file), 'utf8')));

  test('of a list in a sentence goes through `plural` or `integer`, which separate thousands', () => {
    const found = findAll(/\$\{[\w.]+\.(?:length|size)(?: [-+] [\w.]+)*\}(?: [a-z]|`)/);
    expect(found.filter((file) => !WITHOUT.includes(file))).toEqual([]);
    expectNeeded(WITHOUT, found);
  });

  test('and its noun are put together in one place', () => {
    expect(findAll(/=== 1 \? '' : 's'|=== 1 \? '(\w+)' : '\1s'\}/)).toEqual([]);
  });
});

test('a word of a command has double quotes, which the command line of Windows knows, too; only `!`, which bash reads in them, has single ones', () => {
  const roots = [
    new URL('../src/', import.meta.url),
    new URL('../docs/', import.meta.url),
    new URL('../README.md', import.meta.url),
  ];
  const files = roots.flatMap((url) => {
    const path = fileURLToPath(url);
    if (path.endsWith('.md')) return [path];
    return readdirSync(path, { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(tsx?|md)$/.test(file) && !/^(node_modules|api|\.vitepress)\b/.test(file))
      .map((file) => join(path, file));
  });
  const commands = files.flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => /^\s*(\$ )?onnx-mish [a-z]+ |--(keep|require|exclude) ['"]/.test(line)),
  );
  expect(commands.length).toBeGreaterThan(80);
  expect(commands.filter((line) => / '[^'!\s]*[*><=/.][^'\s]*'(?=[\s`),]|$)/.test(line))).toEqual([]);
});
