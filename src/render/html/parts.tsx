import type { ComponentChildren, VNode } from 'preact';
import { figure, short } from '../figures.js';

/** What a cell of a table shows: figures to the right, names, which may be long, to the left. */
export type Cell = string | number | null | VNode;

/** Rows that a table shows at the most: pages of a hundred thousand rows open in no browser. */
const MOST_ROWS = 1000;
/** Characters that a name keeps where the pointer shows all of it. */
const MOST_CHARACTERS = 10_000;
const LONGEST = 48;

/** A name from a model, cut to fit, whole under the pointer. */
export function Name({ text, longest = LONGEST }: { text: string; longest?: number }) {
  if (text === '') return <span class="name soft">(no name)</span>;
  const cut = short(text, longest);
  return cut === text ? (
    <span class="name">{text}</span>
  ) : (
    <span class="name" title={text.slice(0, MOST_CHARACTERS)}>
      {cut}
    </span>
  );
}

/** A table in a box that scrolls on its own; a line under it says how much was left out. */
export function Table({ head, rows }: { head: readonly string[]; rows: readonly (readonly Cell[])[] }) {
  const shown = rows.slice(0, MOST_ROWS);
  const isNumber = head.map((_, column) => shown.some((row) => typeof row[column] === 'number'));
  const align = (column: number) => (isNumber[column] ? 'number' : undefined);
  return (
    <>
      <div class="scroll">
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
      {rows.length > MOST_ROWS && (
        <p class="soft">
          The first {MOST_ROWS} of {rows.length} rows; the JSON report has all.
        </p>
      )}
    </>
  );
}

function content(cell: Cell) {
  // What is short stays on a line; a table that is too wide scrolls.
  if (typeof cell === 'string') {
    return cell.length <= 28 ? <span class="nowrap">{cell}</span> : <Name text={cell} />;
  }
  if (typeof cell === 'object' && cell !== null) return cell;
  return Number.isInteger(cell) && Math.abs(Number(cell)) < 1e9 ? String(cell) : figure(cell, 4); // counts are exact
}

/** Terms and what they stand for; null is left out. */
export function Facts({ facts }: { facts: Readonly<Record<string, ComponentChildren>> }) {
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
  FAIL: 'bad',
  failed: 'bad',
  'did not pass': 'bad',
  finding: 'warn',
  differs: 'warn',
  'not available': 'warn',
};

/** A verdict in its colour, which its word does not depend on. */
export function Pill({ word }: { word: string }) {
  return <span class={`pill ${TONES[word] ?? ''}`}>{word}</span>;
}

/** A chart's picture, what its colours mean, and the same as a table. */
export interface Chart {
  readonly title: string;
  readonly caption: string;
  readonly legend: readonly { readonly name: string; readonly colour: string }[];
  /** An SVG document made by `draw`; null where there is nothing to see. */
  readonly svg: string | null;
  readonly head: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** A chart in a card with its table folded below it. */
export function ChartCard({ chart }: { chart: Chart }) {
  const { title, caption, legend, svg, head, rows } = chart;
  return (
    <figure class="card">
      <h3>
        <Name text={title} />
      </h3>
      <figcaption>{caption}</figcaption>
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

/** The one place where text is taken for markup: for our own style and script, and for SVG, which Vega escapes. */
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
