import type { ComponentChildren, VNode } from 'preact';
import { integer, plural } from '../../base/plural.js';
import { figure, short } from '../figures.js';
import type { LegendEntry } from './draw.js';

/** Content of a table cell. Numbers are aligned right, text left. */
export type Cell = string | number | null | VNode;

/** Maximum rows of a table: browsers cannot open pages with 100,000 rows. */
const MAX_ROWS = 1000;
/** Maximum characters of the tooltip that shows a whole name. */
const MAX_TOOLTIP_CHARACTERS = 10_000;
/** Maximum characters of a name. */
const MAX_CHARACTERS = 48;

/** Shows a name from a model, shortened; the tooltip has the whole name. */
export function Name({ text, longest = MAX_CHARACTERS }: { text: string; longest?: number }) {
  if (text === '') return <span class="name soft">(no name)</span>;
  const cut = short(text, longest);
  return cut === text ? (
    <span class="name">{text}</span>
  ) : (
    <span class="name" title={text.slice(0, MAX_TOOLTIP_CHARACTERS)}>
      {cut}
    </span>
  );
}

/** Shows a table that scrolls sideways; a line below says how many rows are left out. */
export function Table({ head, rows }: { head: readonly string[]; rows: readonly (readonly Cell[])[] }) {
  const shown = rows.slice(0, MAX_ROWS);
  const isNumber = head.map((_, column) => shown.some((row) => typeof row[column] === 'number'));
  const align = (column: number) => (isNumber[column] ? 'number' : undefined);
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard has to reach a box that scrolls */}
      <div class="scroll" tabIndex={0}>
        <table>
          <thead>
            <tr>
              {head.map((title, column) => (
                <th key={title} scope="col" class={align(column)}>
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => (
              <tr key={row}>
                {row.map((cell, column) => (
                  <td key={head[column]} class={align(column)}>
                    {content(cell)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.length > MAX_ROWS && (
        <p class="soft">
          The first {integer(MAX_ROWS)} of {plural(rows.length, 'row')}; the JSON report has all.
        </p>
      )}
    </>
  );
}

function content(cell: Cell) {
  // Short text does not wrap; a table that is too wide scrolls.
  if (typeof cell === 'string') {
    return cell.length <= 28 ? <span class="nowrap">{cell}</span> : <Name text={cell} />;
  }
  if (typeof cell === 'object' && cell !== null) return cell;
  return Number.isInteger(cell) && Math.abs(Number(cell)) < 1e9 ? String(cell) : figure(cell, 4); // counts are exact
}

/** Shows terms with their values; null values are left out. */
export function FactList({ facts }: { facts: Readonly<Record<string, ComponentChildren>> }) {
  return (
    <dl>
      {Object.entries(facts).map(
        ([term, what]) =>
          what !== null && (
            <>
              <dt>{term}</dt>
              <dd>{typeof what === 'string' ? <Name text={what} longest={160} /> : what}</dd>
            </>
          ),
      )}
    </dl>
  );
}

const TONES: Readonly<Record<string, string>> = {
  pass: 'good',
  passed: 'good',
  kept: 'good',
  'not kept': 'bad',
  FAIL: 'bad',
  failed: 'bad',
  'did not pass': 'bad',
  finding: 'warn',
  differs: 'warn',
  'not available': 'warn',
};

/** Shows a verdict in its colour. */
export function Pill({ word }: { word: string }) {
  return <span class={`pill ${TONES[word] ?? ''}`}>{word}</span>;
}

/** A chart as a picture, with its legend, and the same figures as a table. */
export interface TabledChart {
  readonly title: string;
  readonly caption: string;
  readonly legend: readonly LegendEntry[];
  /** Markup that `draw` returns; null if there is nothing to draw. */
  readonly svg: string | null;
  readonly head: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** Shows a chart in a card, with its table folded below. */
export function ChartCard({ chart }: { chart: TabledChart }) {
  const { title, caption, legend, svg, head, rows } = chart;
  return (
    <figure class="card">
      <figcaption>
        <h3>
          <Name text={title} />
        </h3>
        {caption}
      </figcaption>
      {legend.length > 0 && (
        <ul class="legend">
          {legend.map(({ name, colour }) => (
            <li key={name}>
              <span class="swatch" style={{ background: colour }} />
              <Name text={name} />
            </li>
          ))}
        </ul>
      )}
      {svg === null ? <p class="soft">Nothing to draw.</p> : <Raw tag="div" class="chart" text={svg} />}
      <details>
        <summary>Table</summary>
        <Table head={head} rows={rows} />
      </details>
    </figure>
  );
}

/** Shows charts under a title; nothing without charts. */
export function Charts({ title, charts }: { title: string; charts: readonly TabledChart[] }) {
  if (charts.length === 0) return null;
  return (
    <>
      <h2>{title}</h2>
      <div class="grid">
        {charts.map((chart) => (
          <ChartCard key={chart.title} chart={chart} />
        ))}
      </div>
    </>
  );
}

/** Inserts text as unescaped markup: only the page's style and script, and SVG, whose text Vega escapes. */
export function Raw({
  tag: Tag,
  text,
  ...rest
}: {
  tag: 'style' | 'script' | 'div';
  text: string;
  class?: string;
}) {
  return <Tag {...rest} dangerouslySetInnerHTML={{ __html: text }} />;
}
