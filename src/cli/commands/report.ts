import { Command, Option } from 'commander';
import { OnnxMishError } from '../../base/error.js';
import type { FinetuneReport } from '../../finetune/report-schema.js';
import type { Report } from '../../validate/report-schema.js';
import { readJson } from '../io/files.js';
import { checkViews, type ViewFlags, writeTextTo, writeViews } from '../io/views.js';
import { commonOptions, configOptions } from '../options/options.js';
import { hasColour } from '../text/colour.js';
import { reportWithFlags } from '../text/flags.js';
import { say, sayJson } from '../text/say.js';
import { clean } from '../text/text.js';

interface Flags extends ViewFlags {
  report?: string;
  json?: boolean;
}

export function command(): Command {
  const command = new Command('report')
    .summary('show a report, also as HTML, or compare two reports')
    .description(
      'Shows a report of `validate --json` or `finetune --json` in the terminal or as HTML, and one of validate as JUnit XML. With a second report of validate, shows what changed.',
    )
    .argument('<report>', 'an onnx-mish/report@2 (or @1) or finetune@1; - is standard input')
    .argument('[later]', 'a later report to compare with the first')
    .option('--report <file>', 'write a single self-contained HTML file; - is standard output')
    .addOption(new Option('--html <file>', 'earlier name of --report').hideHelp())
    .option('--junit <file>', 'write JUnit XML for a build server; - is standard output')
    .option('-f, --force', 'overwrite existing files');
  return commonOptions(configOptions(command))
    .addHelpText(
      'after',
      `
The exit code says whether the report could be shown, not what is in it.

Examples:
  $ onnx-mish report run.json
  $ onnx-mish report run.json --report run.html --junit run.xml
  $ onnx-mish report before.json after.json`,
    )
    .action(async (path: string, later: string | undefined, given: Flags) => {
      const flags = { ...given, html: given.report ?? given.html };
      await (later === undefined ? show(path, flags) : compare(path, later, flags));
    });
}

async function show(path: string, flags: Flags): Promise<void> {
  const json = await readJson(path);
  const { isFinetuneReport, parseFinetuneReport } = await import('../../finetune/report-schema.js');
  const where = path === '-' ? 'standard input' : path;
  if (isFinetuneReport(json)) return showFinetune(parseFinetuneReport(json, where), path, flags);
  const report = await parse(json, path);
  const shown = reportWithFlags(report);
  const written = await writeViews(shown, flags, [path]);
  if (flags.json) return sayJson(report);
  if (written.length > 0) return sayWritten([path], written);
  const { renderTerminal } = await import('../../render/terminal.js');
  say(renderTerminal(shown, terminalOptions()));
}

/** Shows the report of a fine-tuning. */
async function showFinetune(report: FinetuneReport, path: string, { html, junit, force, json }: Flags) {
  if (junit !== undefined) {
    throw new OnnxMishError(
      'bad-usage',
      'the report of a fine-tuning has no verdicts to write as JUnit XML',
      {
        fix: 'Give --report, or a report of validate',
      },
    );
  }
  await checkViews({ html, force }, [path]);
  if (html !== undefined) {
    const { renderHtmlFinetune } = await import('../../render/html/render.js');
    await writeTextTo(html, await renderHtmlFinetune(report), { force });
  }
  if (json) return sayJson(report);
  if (html !== undefined) return sayWritten([path], [html]);
  const { renderFinetune } = await import('../../render/finetune.js');
  say(renderFinetune(report, { clean }));
}

async function compare(path: string, later: string, flags: Flags): Promise<void> {
  if (flags.junit !== undefined) {
    throw new OnnxMishError('bad-usage', 'a comparison has no verdicts to write as JUnit XML', {
      fix: 'Give --junit with one report',
    });
  }
  if (path === '-' && later === '-') {
    throw new OnnxMishError('bad-usage', 'two reports cannot both come from standard input', {
      fix: 'Name a file for at least one report',
    });
  }
  await checkViews(flags, [path, later]);
  const [before, after] = [await readReport(path), await readReport(later)];
  if (flags.html !== undefined) {
    const { renderHtmlComparison } = await import('../../render/html/render.js');
    await writeTextTo(flags.html, await renderHtmlComparison(before, after), flags);
  }
  const { compareReports } = await import('../../render/compare.js');
  const comparison = compareReports(before, after);
  if (flags.json) return sayJson(comparison);
  if (flags.html !== undefined) return sayWritten([path, later], [flags.html]);
  const { renderComparison } = await import('../../render/terminal.js');
  say(renderComparison(comparison, terminalOptions()));
}

async function readReport(path: string): Promise<Report> {
  const json = await readJson(path);
  const { isFinetuneReport } = await import('../../finetune/report-schema.js');
  if (!isFinetuneReport(json)) return parse(json, path);
  throw new OnnxMishError('bad-usage', 'reports of fine-tunings cannot be compared', {
    where: path,
    fix: 'Give one report',
  });
}

async function parse(json: unknown, path: string): Promise<Report> {
  const { parseReport } = await import('../../validate/report-schema.js');
  return parseReport(json, path === '-' ? 'standard input' : path);
}

function terminalOptions() {
  return { colour: hasColour(), clean };
}

function sayWritten(from: readonly string[], to: readonly string[]): void {
  for (const path of to) say(`${from.map(clean).join(', ')} → ${clean(path)}`);
}
