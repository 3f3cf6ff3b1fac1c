import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { retarget } from '../../../src/mish/retarget.js';
import { swap } from '../../../src/mish/swap.js';
import { scan } from '../../../src/onnx/scan.js';
import { webglProblems } from '../../../src/providers/webgl/check.js';
import { webglMistakes } from '../../../src/providers/webgl/known-bugs.js';
import { isHeavy } from '../../support/heavy.js';
import { describeGraph, modelOf, type RandomGraph, randomGraph } from '../../support/random-graph.js';
import { judge, type Verdict } from '../../support/random-run.js';
import { openWebPage, type WebPage } from '../../support/webgl-page.js';

// Random small graphs on WebGL, after `--target webgl`: right, refused beforehand, or foretold. `npm run webgl-graphs` runs
// thousands, and counts (test/providers/webgl/mistakes.md has the counts).

/** Seeds of every run; those that are on demand come after them. */
const COUNT = isHeavy ? 3000 : 30;
const FIRST = isHeavy ? 1000 : 0;

interface Row extends Verdict {
  readonly told: 'refused' | 'foretold' | 'nothing';
  readonly fixes: number;
}

let page: WebPage;
let rows: Row[];

/** Half of them say all their dimensions. */
const given = (graph: RandomGraph) => modelOf(graph, graph.outputs, { valueInfo: graph.seed % 4 < 2 });

/** Half of them are swapped. */
async function prepared(graph: RandomGraph) {
  const write = graph.seed % 2 === 0 ? retarget : swap;
  const { output, report } = await write(given(graph), { target: 'webgl' });
  const bytes = await output.bytes();
  const document = await scan(bytes);
  const isRefused = webglProblems(document).length > 0;
  const told = isRefused ? 'refused' : webglMistakes(document).length > 0 ? 'foretold' : 'nothing';
  return { bytes, told, fixes: report.fixes?.length ?? 0 } as const;
}

beforeAll(async () => {
  page = await openWebPage();
  const graphs = Array.from({ length: COUNT }, (_, place) => randomGraph(FIRST + place, 'webgl'));
  const told = new Map<number, Pick<Row, 'told' | 'fixes'>>();
  const verdicts = await judge(page, 'webgl', graphs, {
    original: async (_, graph) =>
      graph.seed % 2 === 0 ? given(graph) : (await swap(given(graph), { form: 'exp' })).output.bytes(),
    prepare: async (_, graph) => {
      const { bytes, ...rest } = await prepared(graph);
      told.set(graph.seed, rest);
      return bytes;
    },
  });
  rows = verdicts.map((verdict) => {
    return { ...verdict, ...(told.get(verdict.graph.seed) ?? { told: 'nothing', fixes: 0 }) };
  });
  if (isHeavy) console.log(table(rows));
}, 3_600_000);
afterAll(() => page.close());

const compared = () => rows.filter(({ kind }) => kind !== 'skipped');
const text = ({ kind, error, message, graph }: Row) =>
  `${kind}${message === undefined ? ` by ${error}` : `: ${message}`}: ${describeGraph(graph)}`;

describe(`${COUNT} random graphs after --target webgl`, () => {
  test('none is wrong, or refused while running, that was not foretold', () => {
    const silent = compared().filter(({ kind, told }) => kind !== 'right' && told === 'nothing');
    expect(silent.map(text)).toEqual([]);
  });

  test('at least 90 % are right', () => {
    const right = compared().filter(({ kind }) => kind === 'right').length;
    expect(right / compared().length).toBeGreaterThanOrEqual(0.9);
  });

  test('at most 2 % are refused or foretold though they are right', () => {
    const alarms = compared().filter(({ kind, told }) => kind === 'right' && told !== 'nothing');
    expect(alarms.length / compared().length, alarms.map(text).join('\n')).toBeLessThanOrEqual(0.02);
  });

  test('many are written otherwise', () => {
    expect(rows.filter(({ fixes }) => fixes > 0).length).toBeGreaterThan(COUNT / 10);
  });
});

function table(all: readonly Row[]): string {
  const counts = new Map<string, number>();
  for (const { kind, told, fixes } of all) {
    const key = `${kind}, told: ${told}${fixes > 0 ? ', fixed' : ''}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].map(([key, count]) => `${count} ${key}`).join('\n');
}
