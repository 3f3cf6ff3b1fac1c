import { Command, Option } from 'commander';
import { OnnxMishError } from '../../base/error.js';
import type { FinetuneReport } from '../../finetune/report-schema.js';
import { short } from '../../render/figures.js';
import type { Report } from '../../validate/report-schema.js';
import { readJson } from '../io/files.js';
import { checkViews, type ViewFlags, writeTextTo, writeViews } from '../io/views.js';
import { commonOptions, configOptions } from '../options/options.js';
import { hasColour } from '../text/colour.js';
import { reportWithFlags } from '../text/flags.js';
import { say, sayJson, sayNote } from '../text/say.js';
import { clean, integer } from '../text/text.js';

/** Options of the command, as parsed by commander. */
interface Flags extends ViewFlags {
  report?: string;
  json?: boolean;
}

export function command(): Command {
  const command = new Command('report')
    .summary('show a report, also as HTML; compare two, or merge parts of an experiment')
    .description(
      'Shows a report of `validate --json`, `finetune --json` or `experiment` in the terminal or as HTML, and one of validate as JUnit XML. With a second report of validate, shows what changed. Merges the parts of an experiment.',
    )
    .argument('<reports...>', 'one report, two of validate, or parts of an experiment; - is standard input')
    .option('--report <file>', 'write a single self-contained HTML file; - is standard output')
    .addOption(new Option('--html <file>', 'earlier name of --report').hideHelp())
    .option('--junit <file>', 'write JUnit XML for a build server; - is standard output')
    .option('-f, --force', 'overwrite existing files');
  return commonOptions(configOptions(command))
    .addHelpText(
      'after',
      `
Reports are an onnx-mish/report@2 (or @1), a finetune@1 or an experiment@1. The parts of an experiment merge in any order;
runs that are missing are named, and a run that two parts have counts once. --json prints the merged report.

The exit code says whether the report could be shown, not what is in it.

Examples:
  $ onnx-mish report run.json
  $ onnx-mish report run.json --report run.html --junit run.xml
  $ onnx-mish report before.json after.json
  $ onnx-mish report part1.json part2.json part3.json --report all.html`,
    )
    .action(async (paths: string[], parsed: Flags) => {
      const flags = { ...parsed, html: parsed.report ?? parsed.html };
      if (paths.filter((path) => path === '-').length > 1) {
        throw new OnnxMishError('bad-usage', 'two reports cannot both come from standard input', {
          fix: 'Name a file for at least one report',
        });
      }
      const given: Given[] = [];
      for (const path of paths) given.push(await read(path));
      await showAll(given, flags);
    });
}

/** A file of the command line with its JSON document. */
interface Given {
  readonly path: string;
  /** Name of the file in messages. */
  readonly name: string;
  readonly json: unknown;
  readonly kind: 'validation' | 'fine-tuning' | 'experiment';
}

async function read(path: string): Promise<Given> {
  const json = await readJson(path);
  const { isFinetuneReport } = await import('../../finetune/report-schema.js');
  const { isExperimentReport } = await import('../../experiment/report-schema.js');
  const name = path === '-' ? 'standard input' : path;
  const { isReport } = await import('../../validate/report-schema.js');
  const kind = isFinetuneReport(json)
    ? 'fine-tuning'
    : isExperimentReport(json)
      ? 'experiment'
      : isReport(json)
        ? 'validation'
        : undefined;
  if (kind === undefined) throw notAReport(json, name);
  return { path, json, kind, name };
}

/** Returns the error for a JSON document of another kind. */
function notAReport(json: unknown, where: string): OnnxMishError {
  const schema = typeof json === 'object' && json !== null && 'schema' in json ? json.schema : undefined;
  const what =
    typeof schema === 'string'
      ? `the document has the schema ${short(clean(schema))}, which report does not show`
      : 'the document is not a report';
  return new OnnxMishError('bad-data', what, {
    where,
    fix: 'Give a report of validate --json, finetune --json or experiment',
  });
}

/** Shows a report, compares two validations or merges experiments. Throws `bad-usage` for other reports. */
async function showAll(given: readonly Given[], flags: Flags): Promise<void> {
  const [first, second, third] = given;
  if (first === undefined) return;
  const other = given.find(({ kind }) => kind !== first.kind);
  if (other !== undefined) {
    throw new OnnxMishError(
      'bad-usage',
      `a report of ${withArticle(other.kind)} and one of ${withArticle(first.kind)} cannot be shown together`,
      {
        where: other.name,
        fix: 'Give reports of one kind',
      },
    );
  }
  if (first.kind === 'experiment') return showExperiment(given, flags);
  if (second === undefined) return show(first, flags);
  if (first.kind === 'fine-tuning') {
    throw new OnnxMishError('bad-usage', 'reports of fine-tunings cannot be compared', {
      where: second.name,
      fix: 'Give one report',
    });
  }
  if (third === undefined) return compare(first, second, flags);
  throw new OnnxMishError(
    'bad-usage',
    `only two validations can be compared, and ${integer(given.length)} were given`,
    {
      where: third.name,
      fix: 'Give two reports',
    },
  );
}

const withArticle = (kind: Given['kind']) => (kind === 'experiment' ? `an ${kind}` : `a ${kind}`);

async function show(given: Given, flags: Flags): Promise<void> {
  const { json, path, name } = given;
  if (given.kind === 'fine-tuning') {
    const { parseFinetuneReport } = await import('../../finetune/report-schema.js');
    return showFinetune(parseFinetuneReport(json, name), path, flags);
  }
  const report = await parse(given);
  const shown = reportWithFlags(report);
  const written = await writeViews(shown, flags, [path]);
  if (flags.json) return sayJson(report);
  if (written.length > 0) return sayWritten([path], written);
  const { renderTerminal } = await import('../../render/terminal.js');
  say(renderTerminal(shown, terminalOptions()));
}

/** Shows the report of a fine-tuning. */
async function showFinetune(report: FinetuneReport, path: string, flags: Flags): Promise<void> {
  const { renderHtmlFinetune } = await import('../../render/html/render.js');
  const { renderFinetune } = await import('../../render/finetune.js');
  await showWithoutVerdicts('a fine-tuning', [path], flags, {
    json: () => report,
    html: () => renderHtmlFinetune(report),
    text: () => renderFinetune(report, { clean }),
  });
}

/** Shows the report of an experiment, or merges the reports of its parts. */
async function showExperiment(given: readonly Given[], flags: Flags): Promise<void> {
  const { parseExperimentReport } = await import('../../experiment/report-schema.js');
  const { mergeExperiments } = await import('../../experiment/merge.js');
  const { renderHtmlExperiment } = await import('../../render/html/render.js');
  const { renderExperiment, missingLines } = await import('../../render/experiment.js');
  const parts = given.map(({ json, name }) => ({ name, report: parseExperimentReport(json, name) }));
  const [only, ...others] = parts;
  const report = only !== undefined && others.length === 0 ? only.report : mergeExperiments(parts);
  await showWithoutVerdicts(
    'an experiment',
    given.map(({ path }) => path),
    flags,
    {
      json: () => report,
      html: () => renderHtmlExperiment(report),
      text: () => renderExperiment(report, { clean }),
    },
  );
  if (flags.html === undefined || flags.json) return; // the text and the JSON name the missing runs
  for (const line of missingLines(report)) sayNote(line);
}

/** A report in each format. */
interface Formats {
  readonly json: () => object;
  readonly html: () => Promise<string>;
  readonly text: () => string;
}

/** Shows a report that has no verdicts. Throws `bad-usage` for JUnit XML. */
async function showWithoutVerdicts(
  what: string,
  paths: readonly string[],
  { html, junit, force, json }: Flags,
  formats: Formats,
): Promise<void> {
  if (junit !== undefined) {
    throw new OnnxMishError('bad-usage', `the report of ${what} has no verdicts to write as JUnit XML`, {
      fix: 'Give --report, or a report of validate',
    });
  }
  await checkViews({ html, force }, paths);
  if (html !== undefined) await writeTextTo(html, await formats.html(), { force });
  if (json) return sayJson(formats.json());
  if (html !== undefined) return sayWritten(paths, [html]);
  say(formats.text());
}

async function compare(first: Given, second: Given, flags: Flags): Promise<void> {
  if (flags.junit !== undefined) {
    throw new OnnxMishError('bad-usage', 'a comparison has no verdicts to write as JUnit XML', {
      fix: 'Give --junit with one report',
    });
  }
  const paths = [first.path, second.path];
  await checkViews(flags, paths);
  const [before, after] = [await parse(first), await parse(second)];
  if (flags.html !== undefined) {
    const { renderHtmlComparison } = await import('../../render/html/render.js');
    await writeTextTo(flags.html, await renderHtmlComparison(before, after), flags);
  }
  const { compareReports } = await import('../../render/compare.js');
  const comparison = compareReports(before, after);
  if (flags.json) return sayJson(comparison);
  if (flags.html !== undefined) return sayWritten(paths, [flags.html]);
  const { renderComparison } = await import('../../render/terminal.js');
  say(renderComparison(comparison, terminalOptions()));
}

async function parse({ json, name }: Given): Promise<Report> {
  const { parseReport } = await import('../../validate/report-schema.js');
  return parseReport(json, name);
}

function terminalOptions() {
  return { colour: hasColour(), clean };
}

function sayWritten(from: readonly string[], to: readonly string[]): void {
  for (const path of to) say(`${from.map(clean).join(', ')} → ${clean(path)}`);
}
