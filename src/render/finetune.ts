import { integer, plural } from '../base/plural.js';
import { MAX_UNIT_SAMPLES } from '../finetune/limits.js';
import type { FinetuneReport } from '../finetune/report-schema.js';
import { samplesOfScore } from '../finetune/samples-of-score.js';
import { clean as cleanText } from './clean.js';
import { figure, hintText, joinSections, percent, safeText, tellApart } from './figures.js';
import {
  armName,
  describeParts,
  describeSites,
  describeTraining,
  MOVED_HEAD,
  movedLegend,
  movedRows,
  scoreHead,
  scoreRows,
  UNITS_HEAD,
  unitRows,
} from './finetune-figures.js';
import { plainTable, type TerminalOptions } from './terminal.js';

/** Options of the text. */
export interface FinetuneText {
  readonly clean?: TerminalOptions['clean'];
  /** Whether to list all weights and sites. */
  readonly all?: boolean | undefined;
  /** Advice on how to list all. */
  readonly hint?: string | undefined;
}

/**
 * Formats the report of a fine-tuning for a terminal.
 *
 * @example
 * import { readFile } from 'node:fs/promises';
 * import { parseFinetuneReport } from 'onnx-mish/finetune';
 * import { renderFinetune } from 'onnx-mish/report';
 *
 * console.log(renderFinetune(parseFinetuneReport(JSON.parse(await readFile('finetune.json', 'utf8')))));
 */
export function renderFinetune(
  report: FinetuneReport,
  { clean = cleanText, all = false, hint }: FinetuneText = {},
): string {
  const safe = safeText(report, clean);
  const most = all ? Number.POSITIVE_INFINITY : MAX_LISTED;
  const sections = [
    [describeSites(safe), describeParts(safe), describeTraining(safe)],
    [
      scoreTable(safe),
      `Scores are on the ${plural(samplesOfScore(safe.start.original, safe.data), 'test sample')}.`,
    ],
    [describeCurves(safe)],
    unitsTable(safe, most, hint),
    movedTable(safe, most, hint),
    [safe.conclusion],
    safe.notes.map((note) => `note: ${note}`),
  ];
  return joinSections(sections);
}

/** Maximum characters of a name in a table, which has to fit into 100 columns. */
const MAX_NAME_CHARACTERS = 44;
/** Maximum rows of a table, unless all are wanted. */
const MAX_LISTED = 8;

function scoreTable(report: FinetuneReport): string {
  return plainTable(scoreHead(report), scoreRows(report), 2);
}

/** Returns a line for each run with its validation accuracies or losses, epoch by epoch. */
function describeCurves({ runs, to }: FinetuneReport): string {
  const rows = runs.map(({ arm, seed, before, epochs }) => {
    const scores = [before, ...epochs.map(({ validation }) => validation)];
    const values = scores.map((score) =>
      score === null ? '–' : score.accuracy === null ? figure(score.loss) : percent(score.accuracy),
    );
    return [
      armName(arm, to),
      String(seed),
      epochs.map(({ loss }) => figure(loss)).join(' '),
      values.join(' → '),
    ];
  });
  return plainTable(['model', 'seed', 'training loss by epoch', 'validation'], rows, 4);
}

const UNITS_LEGEND = `Units (channels or features) whose input was never positive on at most ${plural(MAX_UNIT_SAMPLES, 'test sample')}: in the original before, in the swapped model after, in the control after.`;

function unitsTable(report: FinetuneReport, most: number, hint: string | undefined): string[] {
  if (report.units.length === 0) return [];
  const rows = unitRows(report);
  const [shown, total] = [rows.slice(0, -1).slice(0, most), rows.slice(-1)];
  const more = rows.length - 1 - shown.length;
  const names = tellApart(
    shown.map(([site]) => String(site)),
    MAX_NAME_CHARACTERS,
  );
  const table = [...shown.map((row, index) => [names[index] ?? '', ...row.slice(1)]), ...total];
  return [
    plainTable(
      UNITS_HEAD,
      table.map((row) => row.map((cell) => (cell === null ? '–' : String(cell)))),
      1,
    ),
    ...(more > 0 ? [`… ${integer(more)} more sites with such units${hintText(hint)}`] : []),
    UNITS_LEGEND,
  ];
}

function movedTable(report: FinetuneReport, most: number, hint: string | undefined): string[] {
  const rows = movedRows(report);
  if (rows.length === 0) return [];
  const shown = rows.slice(0, most);
  const names = tellApart(
    shown.map(([weight]) => weight),
    MAX_NAME_CHARACTERS,
  );
  const more = rows.length - shown.length;
  return [
    plainTable(
      MOVED_HEAD,
      shown.map(([, change, control], index) => [names[index] ?? '', percent(change), percent(control)]),
      1,
    ),
    ...(more > 0 ? [`… ${integer(more)} more weights${hintText(hint)}`] : []),
    movedLegend(report),
  ];
}
