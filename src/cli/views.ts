import { checkTarget, writeAtomically } from '../node/atomic.js';
import { onFile } from '../node/errors.js';
import { OnnxMishError } from '../onnx/error.js';
import type { Report } from '../validate/report.js';

/** The files that a report is written to, and whether they may be there already. */
export interface ViewFlags {
  html?: string | undefined;
  junit?: string | undefined;
  force?: boolean | undefined;
}

/** Throws `io` when one of the files could not be written as things are, so that no long run ends in vain. */
export async function checkViews({ html, junit, force = false }: ViewFlags): Promise<void> {
  for (const path of [html, junit]) {
    if (path !== undefined) await withoutDashO(() => checkTarget(path, force));
  }
  if (html !== undefined && html === junit) {
    throw new OnnxMishError('bad-usage', 'HTML and JUnit XML cannot go to the same file', { where: html });
  }
}

/** Writes the report as HTML and as JUnit XML, as far as they are asked for; gives the names of the files. */
export async function writeViews(report: Report, flags: ViewFlags): Promise<string[]> {
  const { html, junit, force } = flags;
  await checkViews(flags);
  if (html !== undefined) {
    const { renderHtml } = await import('../report/html/render.js');
    await writeText(html, await renderHtml(report), { force });
  }
  if (junit !== undefined) {
    const { renderJunit } = await import('../report/junit.js');
    await writeText(junit, renderJunit(report), { force });
  }
  return [html, junit].filter((path) => path !== undefined);
}

/** Writes a text file, whole or not at all. Throws `io`, also when it is there already, unless `force`. */
export async function writeText(
  path: string,
  text: string,
  { force = false }: { force?: boolean | undefined } = {},
): Promise<void> {
  await withoutDashO(() =>
    writeAtomically(path, force, (_, handle) => onFile(path, () => handle.writeFile(text))),
  );
}

/** Advice on files names the option -o of the commands that write models; these files have options of their own. */
async function withoutDashO<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof OnnxMishError)) throw error;
    const { code, what, where, fix, cause } = error;
    throw new OnnxMishError(code, what, { where, fix: fix?.replace(' with -o', ''), cause });
  }
}
