import { afterAll, beforeAll, expect, test } from 'vitest';
import { scan } from '../../../src/onnx/scan.js';
import { webgpuMistakes } from '../../../src/providers/webgpu/known-bugs.js';
import { isHeavy } from '../../support/heavy.js';
import { describeGraph, modelOf, type RandomGraph, randomGraph } from '../../support/random-graph.js';
import { judge, type Verdict } from '../../support/random-run.js';
import { openWebPage, type WebPage } from '../../support/webgl-page.js';

// WebGPU in software beside the CPU, on random small graphs: what is wrong has to be foretold. Most of the time goes
// into compiling kernels, which a page does once for each; `npm run webgpu-graphs` runs thousands.

const COUNT = isHeavy ? 2000 : 3;
/** Seeds are others than those that rules were made from, so that a rule that fits only its examples is seen. */
const FIRST = isHeavy ? 10_000 : 100;

let page: WebPage;
beforeAll(async () => {
  page = await openWebPage();
});
afterAll(() => page.close());

async function isForetold(graph: RandomGraph): Promise<boolean> {
  return webgpuMistakes(await scan(modelOf(graph))).length > 0;
}

const lines = (verdicts: readonly Verdict[]) =>
  verdicts.map(({ kind, error, output, message, graph }) =>
    [kind, error, output, message, describeGraph(graph)].filter((part) => part !== undefined).join(' | '),
  );

test(
  'a random graph is right on WebGPU, refused or foretold',
  async () => {
    const graphs = Array.from({ length: COUNT }, (_, place) => randomGraph(FIRST + place, 'webgpu'));
    const all = await judge(page, 'webgpu', graphs);
    const verdicts = all.filter(({ kind }) => kind !== 'skipped');
    const foretold = new Set<Verdict>();
    for (const verdict of verdicts) if (await isForetold(verdict.graph)) foretold.add(verdict);
    const of = (wanted: Verdict['kind']) => verdicts.filter(({ kind }) => kind === wanted);
    if (isHeavy) console.log(lines([...of('wrong'), ...of('refused')]).join('\n'));

    expect(lines(of('wrong').filter((one) => !foretold.has(one)))).toEqual([]);

    const onWasm = await judge(
      page,
      'wasm',
      [...of('wrong'), ...of('refused')].map(({ graph }) => graph),
    );
    const lost = onWasm.filter(({ kind }) => kind === 'right');
    const right = of('right');
    expect(right.length / (right.length + lost.length), lines(lost).join('\n')).toBeGreaterThanOrEqual(0.9);

    const falseAlarms = right.filter((one) => foretold.has(one));
    expect(falseAlarms.length / verdicts.length, lines(falseAlarms).join('\n')).toBeLessThanOrEqual(0.02);
    expect(all.length - verdicts.length).toBeLessThanOrEqual(0.01 * COUNT + 1);
  },
  isHeavy ? 7_200_000 : 300_000,
);
