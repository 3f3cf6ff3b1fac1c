import { basename } from 'node:path';
import { isAborted } from '../../base/abort.js';
import { OnnxMishError } from '../../base/error.js';
import { parseRanking, type Ranking } from '../../calibrate/select/ranking.js';
import { isAbsent } from '../../files/file-error.js';
import { readText } from '../../files/read-stream.js';
import { whileUnchanged } from '../../files/unchanged.js';
import { checkTarget } from '../../files/write-atomically.js';
import { ACTIVATIONS } from '../../mish/activations.js';
import type { SwapOptions } from '../../mish/swap.js';
import { swapChoices } from '../../mish/swap-choices.js';
import { rankSites } from '../../node/calibrate-files.js';
import { isPath } from '../../providers/provider.js';
import { writtenActivation } from '../../render/ranking-figures.js';
import { interruptible } from '../io/exit.js';
import { isPiped, modelArgument } from '../io/files.js';
import { allOfNoise, DEFAULT_NOISE_RUNS, readData, requireSamples } from '../io/read-data.js';
import { sayDoubt, sayDoubtsAbout } from '../io/say-doubts.js';
import { checkViews, writeTextTo } from '../io/views.js';
import type { DataFlags } from '../options/data-options.js';
import { describeSkipped } from '../text/describe-swap.js';
import { shareText, shortFigure, sqnrText, top1Text } from '../text/harm-text.js';
import { steps } from '../text/progress.js';
import { say, sayJson } from '../text/say.js';
import { clean, columns, integer, plural } from '../text/text.js';
import { timeLeftClock } from '../text/time-left.js';

/** Options of the command, as parsed by commander. */
export interface Flags
  extends DataFlags,
    Pick<
      SwapOptions,
      'to' | 'alpha' | 'only' | 'include' | 'exclude' | 'form' | 'target' | 'beta' | 'leaky' | 'int8'
    > {
  samples?: number;
  estimate?: boolean;
  top?: number;
  resume?: string;
  report?: string;
  force?: boolean;
  json?: boolean;
}

/** Ranks the sites of a model, saves progress in the file of --resume, and prints the ranking. */
export async function run(path: string, flags: Flags): Promise<void> {
  requireSamples(flags, 'rank');
  const { resume, samples, seed, report, force } = flags;
  await checkViews({ html: report, force }, [path, flags.data], resume); // fail before the long run, not after
  const signal = interruptible();
  const before = resume === undefined ? undefined : await readRanking(resume, signal);
  const model = await bytesOrPath(path, signal);
  const data = await readData(flags, samples ?? DEFAULT_NOISE_RUNS, { signal });
  const session = { allowOutsideData: flags.allowOutsideData };
  const bar = steps();
  const left = timeLeftClock();
  const rank = async () => {
    await sayDoubtsAbout(model, data, flags, session);
    return rankSites(model, {
      ...swapChoices(flags),
      data,
      seed,
      signal,
      session,
      int8: flags.int8,
      samples: samples ?? allOfNoise(flags),
      before,
      beforeName: resume,
      top: flags.estimate ? 0 : flags.top,
      onDoubt: sayDoubt,
      onMeasured: resume === undefined ? undefined : (soFar) => save(resume, soFar),
      onProgress: ({ stage, site, sites, done }) =>
        bar.update(`${stage} site ${integer(site)} of ${integer(sites)}${left(done)}`),
    });
  };
  const ranking = await whileUnchanged(isPath(model) ? [model] : [], rank)
    .catch((error: unknown) => {
      if (!isAborted(error) || resume === undefined) throw error;
      throw new OnnxMishError('aborted', 'interrupted', {
        where: resume,
        fix: 'Run the same command again to continue',
      });
    })
    .finally(bar.end);
  if (resume !== undefined && before === undefined && ranking.sites.length === 0) await save(resume, ranking);
  if (flags.json) sayJson(ranking);
  else say(describe(basename(path), ranking));
  if (report === undefined) return;
  const { renderHtmlRanking } = await import('../../render/html/render.js');
  await writeTextTo(report, await renderHtmlRanking(ranking), { force });
}

/** Returns a model for ONNX Runtime: its path, or the bytes of standard input. */
async function bytesOrPath(path: string, signal: AbortSignal): Promise<string | Uint8Array> {
  if (!(await isPiped(path))) return path;
  const source = await modelArgument(path, signal);
  return source.read(0, source.size);
}

/** Reads an earlier ranking; returns undefined for a missing file. Throws `io`, `bad-usage`, and `bad-data` for other content. */
async function readRanking(path: string, signal: AbortSignal): Promise<Ranking | undefined> {
  if (await isPiped(path)) {
    throw new OnnxMishError('bad-usage', '--resume reads and rewrites a file, so it cannot be a pipe', {
      where: path,
      fix: 'Name a file; --json prints the ranking',
    });
  }
  const text = await readText(path, signal).catch((error: unknown) => {
    if (isAbsent(error)) return undefined;
    throw error;
  });
  if (text === undefined) {
    await checkTarget(path, false); // fail before the long run, not after
    return undefined;
  }
  const json = ((): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      return undefined;
    }
  })();
  return parseRanking(json, path);
}

async function save(path: string, ranking: Ranking): Promise<void> {
  await writeTextTo(path, `${JSON.stringify(ranking, null, 2)}\n`, { force: true });
}

function describe(name: string, { data, sites, skipped, spearman, to, form, beta, int8 }: Ranking): string {
  const noise = data.source === 'seed';
  const head = `${clean(name)}: ${plural(sites.length, 'site')}, each swapped alone${to === undefined ? '' : ` to ${ACTIVATIONS[to].label}`} over ${
    noise ? `${plural(data.samples, 'sample')} of noise` : plural(data.samples, 'sample')
  }, from harmless to harmful`;
  const has = (key: 'agreement' | 'top1Drop') =>
    sites.some(({ estimate, measured }) => (measured ?? estimate)?.[key] != null);
  const [agreement, top1] = [has('agreement'), has('top1Drop')];
  const rows = sites.map(({ label, kind, estimate, measured }, index) => {
    const best = measured ?? estimate;
    return [
      integer(index + 1),
      clean(label),
      kind,
      estimate === null ? '–' : sqnrText(estimate),
      measured === null ? '–' : sqnrText(measured),
      best?.maxAbs == null ? '–' : shortFigure(best.maxAbs),
      ...(agreement ? [shareText(best?.agreement ?? null)] : []),
      ...(top1 ? [top1Text(best)] : []),
    ];
  });
  const heads = ['', 'site', 'kind', 'estimate', 'SQNR', 'max abs'];
  const titles = [...heads, ...(agreement ? ['agreement'] : []), ...(top1 ? ['accuracy'] : [])];
  const unmeasured = sites.filter(({ measured }) => measured === null).length;
  return [
    head,
    ...(rows.length === 0 ? ['  nothing to swap'] : [columns([titles, ...rows])]),
    ...(top1 ? ['  accuracy: points gained, with the paired 95 % interval'] : []),
    ...describeSkipped(skipped),
    ...(beta === 1 && int8 === undefined ? [] : [`  ${writtenActivation({ to, form, beta, int8 })}`]),
    ...(spearman === null ? [] : [`  estimate and measurement rank alike: Spearman ${spearman.toFixed(2)}`]),
    ...(unmeasured > 0 && unmeasured < sites.length
      ? [`  ranked by the estimate only: the last ${plural(unmeasured, 'site')}`]
      : []),
    ...(noise ? ['  note: ranked on noise; on real samples the order may differ'] : []),
  ].join('\n');
}
