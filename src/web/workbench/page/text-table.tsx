import { useState } from 'preact/hooks';
import { integer } from '../../../base/plural.js';
import { TableBox } from './parts.js';

/** Rows shown until the user asks for all. */
const FIRST_ROWS = 200;

/** Maximum number of characters of a cell that stays on one line. */
const MAX_FIGURE = 30;

/** Shows a table of texts; the first cell of a row is its head. */
export function TextTable(props: {
  readonly label: string;
  readonly caption: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}) {
  const { label, caption, head, rows } = props;
  const [whole, setWhole] = useState(false);
  const shown = whole ? rows : rows.slice(0, FIRST_ROWS);
  return (
    <>
      <TableBox label={label}>
        <table>
          <caption>{caption}</caption>
          <thead>
            <tr>
              {head.map((cell) => (
                <th key={cell} scope="col">
                  {cell}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map(([name, ...cells], row) => (
              <tr key={`${row} ${name}`}>
                <th scope="row">{name}</th>
                {cells.map((cell, at) => (
                  <td key={`${at} ${cell}`} class={cell.length <= MAX_FIGURE ? 'number' : undefined}>
                    {cell}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </TableBox>
      {shown.length < rows.length && (
        <button type="button" onClick={() => setWhole(true)}>
          Show all {integer(rows.length)}
        </button>
      )}
    </>
  );
}
