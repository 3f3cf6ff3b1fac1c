import { basename } from 'node:path';
import { OnnxMishError } from '../../base/error.js';
import { scanFile } from '../../files/scan-file.js';
import { whileUnchanged } from '../../files/unchanged.js';
import type { Inspection } from '../../mish/inspect.js';
import { inspectDocument } from '../../mish/inspect-document.js';
import { activations } from '../../node/calibrate-files.js';
import { renderActivations } from '../../render/activations.js';
import { interruptible } from '../io/exit.js';
import { isPiped, modelArgument } from '../io/files.js';
import { allOfNoise, DEFAULT_NOISE_RUNS, readData } from '../io/read-data.js';
import { sayDoubtsAbout } from '../io/say-doubts.js';
import { checkViews, writeTextTo } from '../io/views.js';
import { ALL_HINT } from '../text/flags.js';
import { progress } from '../text/progress.js';
import { say, sayJson } from '../text/say.js';
import { clean } from '../text/text.js';
import type { Flags } from './inspect-flags.js';

/** Rows to print without --all. */
const MAX_ROWS = 40;

/** Inspects a model and the inputs of its activations, prints both, and writes the HTML report if requested. */
export async function inspectWithData(
  path: string,
  flags: Flags,
  describe: (inspection: Inspection) => string,
): Promise<void> {
  const { samples, seed, report, force, all = false } = flags;
  await checkViews({ html: report, force }, [path, flags.data]); // fail before the long run, not after
  const signal = interruptible();
  const { measured, inspection } = await whileUnchanged((await isPiped(path)) ? [] : [path], async () => {
    const { model, inspection } = await readModel(path, flags, signal);
    const data = await readData(flags, samples ?? DEFAULT_NOISE_RUNS, { signal });
    const session = { allowOutsideData: flags.allowOutsideData };
    await sayDoubtsAbout(model, data, flags, session);
    const bar = progress(`running ${clean(basename(path))}`);
    const measured = await activations(model, {
      only: flags.only,
      include: flags.include,
      exclude: flags.exclude,
      data,
      seed,
      signal,
      onProgress: bar.update,
      session,
      samples: samples ?? allOfNoise(flags),
    }).finally(bar.end);
    return { measured, inspection };
  });
  if (flags.json) sayJson({ model: path, ...inspection, activations: measured });
  else {
    const most = all ? undefined : MAX_ROWS;
    say([describe(inspection), renderActivations(measured, { clean, most, hint: ALL_HINT })].join('\n\n'));
  }
  if (report === undefined) return;
  const { renderHtmlActivations } = await import('../../render/html/render.js');
  await writeTextTo(report, await renderHtmlActivations(measured, basename(path)), { force });
}

/** Returns a model for ONNX Runtime (its path, or the bytes of a pipe) and its inspection. Throws `external-data` for such data in a pipe. */
async function readModel(path: string, flags: Flags, signal: AbortSignal) {
  const source = await modelArgument(path, signal);
  try {
    const inspection = await inspectDocument(await scanFile(path, source, flags), flags);
    if (!(await isPiped(path))) return { model: path, inspection };
    const [external] = inspection.externalData;
    if (external === undefined) return { model: await source.read(0, source.size), inspection };
    throw new OnnxMishError(
      'external-data',
      `the model has data in the file '${external}', which a pipe cannot provide`,
      {
        where: source.name,
        fix: 'Name the model’s file',
      },
    );
  } finally {
    await source.close();
  }
}
