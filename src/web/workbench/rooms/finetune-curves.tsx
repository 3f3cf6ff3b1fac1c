import { useMemo } from 'preact/hooks';
import type { FinetuneEpoch } from '../../../finetune/options.js';
import { figure } from '../../../render/figures.js';
import { accuracyText } from '../../../render/finetune-figures.js';
import { type Data, Legend, type Line, LineChart } from '../page/chart.js';
import { TableBox } from '../page/parts.js';
import type { Training } from './finetune-state.js';

type Arm = FinetuneEpoch['arm'];
const ARMS: readonly (readonly [Arm, string, string])[] = [
  ['swapped', 'Mish', '--accent'],
  ['original', 'original', '--line-2'],
];

const LOSS_LINES: readonly Line[] = ARMS.map(([, label, colour]) => ({ label, colour, width: 2.5 }));

/** Shows loss and accuracy of both arms, epoch by epoch. */
export function FinetuneCurves({ training: { epochs, choice } }: { readonly training: Training }) {
  const rows = useMemo(() => rowsOf(epochs), [epochs]);
  const loss = useMemo(() => dataOf(rows, ({ epoch }) => epoch.loss), [rows]);
  const score = useMemo(
    () => dataOf(rows, (one) => percentOf(one.epoch.validation ?? one.epoch), percentBefore),
    [rows],
  );
  if (epochs.length === 0) return <p class="quiet">The first epoch is on its way.</p>;
  const hasAccuracy = epochs.some(({ epoch }) => epoch.accuracy !== null);
  const last = `after ${rows.length} of ${choice.epochs} epochs`;
  const range = [0, choice.epochs] as const;
  return (
    <>
      <div class="latencies">
        <figure>
          <figcaption>
            <h3>Loss of the training batches</h3>
          </figcaption>
          <LineChart
            label={`Loss of both models ${last}; the table below has the values.`}
            lines={LOSS_LINES}
            data={loss}
            height={200}
            xRange={range}
          />
        </figure>
        {hasAccuracy && (
          <figure>
            <figcaption>
              <h3>Accuracy on the validation part, %</h3>
            </figcaption>
            <LineChart
              label={`Accuracy of both models ${last}; the table below has the values.`}
              lines={LOSS_LINES}
              data={score}
              height={200}
              xRange={range}
            />
          </figure>
        )}
      </div>
      <Legend lines={LOSS_LINES} />
      <details>
        <summary>Values as a table</summary>
        <CurveTable rows={rows} />
      </details>
    </>
  );
}

type Row = Readonly<Partial<Record<Arm, FinetuneEpoch>>>;

/** Returns a row for each epoch, with the epochs of both arms. */
function rowsOf(epochs: readonly FinetuneEpoch[]): Row[] {
  const rows: Partial<Record<Arm, FinetuneEpoch>>[] = [];
  for (const one of epochs) {
    const place = one.epoch.epoch - 1;
    rows[place] = { ...rows[place], [one.arm]: one };
  }
  return rows;
}

const percentOf = ({ accuracy }: { readonly accuracy: number | null }) =>
  accuracy === null ? null : 100 * accuracy;

const percentBefore = ({ before }: FinetuneEpoch) => (before === null ? null : percentOf(before));

/** Returns the numbers of the epochs and a line for each arm. `before` gives the value before the first epoch. */
function dataOf(
  rows: readonly Row[],
  value: (epoch: FinetuneEpoch) => number | null,
  before: (epoch: FinetuneEpoch) => number | null = () => null,
): Data {
  return [
    [0, ...rows.map((_, index) => index + 1)],
    ...ARMS.map(([arm]) => {
      const [first] = rows.map((row) => row[arm]);
      return [first ? before(first) : null, ...rows.map((row) => (row[arm] ? value(row[arm]) : null))];
    }),
  ];
}

function CurveTable({ rows }: { readonly rows: readonly Row[] }) {
  return (
    <TableBox label="Values of the curves">
      <table>
        <caption class="unseen">Loss and accuracy by epoch</caption>
        <thead>
          <tr>
            <th scope="col">Epoch</th>
            {ARMS.flatMap(([arm, name]) =>
              ['loss', 'accuracy', 'validation'].map((what) => (
                <th key={`${arm} ${what}`} scope="col">{`${name}, ${what}`}</th>
              )),
            )}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={index}>
              <th scope="row" class="number">
                {index + 1}
              </th>
              {ARMS.flatMap(([arm]) => {
                const epoch = row[arm]?.epoch;
                const validation = epoch?.validation;
                const cells = [
                  figure(epoch?.loss, 4),
                  accuracyText(epoch?.accuracy ?? null),
                  validation === null || validation === undefined
                    ? '–'
                    : validation.accuracy === null
                      ? figure(validation.loss, 4)
                      : accuracyText(validation.accuracy),
                ];
                return cells.map((cell, at) => (
                  <td key={`${arm} ${at}`} class="number">
                    {cell}
                  </td>
                ));
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  );
}
