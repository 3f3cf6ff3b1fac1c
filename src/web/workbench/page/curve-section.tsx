import { useMemo } from 'preact/hooks';
import { curvedShareIn, MAX_CURVED_INPUT } from '../../../metrics/curved-share.js';
import { ACTIVATIONS } from '../../../mish/activations.js';
import { figure, percent } from '../../../render/figures.js';
import { Legend, type Line, LineChart } from './chart.js';
import { abscissae, curves, type Shape, total } from './curves.js';
import { type Parts, ProblemNote, TableBox } from './parts.js';
import { readFeed } from './shapes.js';
import { SharpnessSlider } from './sharpness-slider.js';
import { WorkButton } from './work-bar.js';

/** x values of the table below the chart. */
const TABLE_X = [-6, -4, -3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 6];
/** LeakyReLU slope in the chart unless the selected site has a slope. */
const SLOPE = 0.1;

/** Shows Mish and its derivative beside ReLU, LeakyReLU and Swish, over a histogram of the selected site's inputs. */
export function CurveSection({ state, dispatch, actions }: Parts) {
  const { to, beta, model, site, input, feed } = state;
  const chosen = model?.inspection.sites[site];
  const slope = typeof chosen?.alpha === 'number' ? chosen.alpha : undefined;
  const alpha = slope ?? SLOPE;
  const leak = state.leaky === 'mixture' && slope !== undefined ? slope : 0;
  const histogram = input?.site === site ? input.histogram : undefined;
  const counting = input?.site === site && histogram === undefined;
  const shown = useMemo(
    () => curves(abscissae(histogram), { to, beta, alpha, leak }, histogram),
    [to, beta, alpha, leak, histogram],
  );
  const data = useMemo(() => {
    const { xs, written, derivative, relu, leaky, swish, density } = shown;
    return [xs, ...(density === undefined ? [] : [density]), relu, leaky, swish, derivative, written];
  }, [shown]);
  const lines = linesOf({ to, beta, alpha, leak }, histogram !== undefined);
  const ready =
    model !== null && model.missing.length === 0 && readFeed(feed, model.inspection.inputs) !== undefined;
  const [first = 0, last = 0] = [shown.xs.at(0), shown.xs.at(-1)];
  const label = `${lines.at(-1)?.label} and its derivative from x = ${figure(first)} to ${figure(last)}, beside ReLU, LeakyReLU and Swish. The table below has the values.`;
  return (
    <section class="card curve" aria-labelledby="curve-title">
      <h2 id="curve-title">
        {chosen === undefined ? 'x · tanh(softplus(βx))' : chosen.label}
        {chosen !== undefined && <small>{`site ${site + 1}, ${chosen.kind}`}</small>}
      </h2>
      <LineChart label={label} lines={lines} data={data} height={320} range={rangeOf(shown.xs)} />
      <Legend lines={lines.toReversed()} />
      {to === undefined && (
        <SharpnessSlider
          id="beta"
          beta={beta}
          onBeta={(chosenBeta) => dispatch({ kind: 'choose', change: { beta: chosenBeta } })}
        />
      )}
      {chosen !== undefined && (
        <div class="bar">
          <WorkButton off={!ready || counting} onPress={() => actions.measure()}>
            {counting ? 'Counting …' : 'Show the inputs of this site'}
          </WorkButton>
          {histogram !== undefined && (
            <span class="quiet">
              {`${total(histogram).toLocaleString('en')} inputs`}
              {to === undefined &&
                `, ${percent(curvedShareIn(histogram, beta))} of them where Mish bends (|βx| < ${MAX_CURVED_INPUT.mish})`}
            </span>
          )}
        </div>
      )}
      <ProblemNote problem={state.problems.histogram} />
      <details>
        <summary>Values as a table</summary>
        <CurveTable shape={{ to, beta, alpha, leak }} />
      </details>
    </section>
  );
}

/** Returns the name of the activation that is written. */
function nameOf({ to, beta, leak }: Shape): string {
  if (to !== undefined) return ACTIVATIONS[to].label;
  const sharp = beta === 1 ? '' : `, β = ${beta}`;
  return leak === 0 ? `Mish${sharp}` : `Mixture of ${figure(leak)} x and Mish${sharp}`;
}

function linesOf(shape: Shape, filled: boolean): Line[] {
  const { to, alpha, leak } = shape;
  return [
    ...(filled ? [{ label: 'Inputs of this site', colour: '--area-line', width: 1, area: true }] : []),
    { label: 'ReLU', colour: '--line-1', width: 1.5 },
    { label: `LeakyReLU (${figure(alpha)})`, colour: '--line-2', width: 1.5, dash: [7, 4] },
    { label: 'Swish', colour: '--line-3', width: 1.5, dash: [2, 3] },
    {
      label: to === undefined && leak === 0 ? 'Mish’s derivative' : 'Its derivative',
      colour: '--accent',
      width: 1.5,
      dash: [6, 4],
    },
    { label: nameOf(shape), colour: '--accent', width: 3.5 },
  ];
}

/** Returns the y range. It includes little of the negative side, so that the bend stays visible. */
function rangeOf(xs: readonly number[]): readonly [number, number] {
  const top = xs.at(-1) ?? 4;
  return [-0.25 * Math.min(top, 8), Math.min(top, 12)];
}

function CurveTable({ shape }: { readonly shape: Shape }) {
  const at = curves(TABLE_X, shape);
  const columns = [
    [nameOf(shape), 'written'],
    ['Derivative', 'derivative'],
    ['ReLU', 'relu'],
    [`LeakyReLU (${figure(shape.alpha)})`, 'leaky'],
    ['Swish', 'swish'],
  ] as const;
  return (
    <TableBox label="Values of the curves">
      <table>
        <caption class="unseen">Values of the curves</caption>
        <thead>
          <tr>
            <th scope="col">x</th>
            {columns.map(([name, column]) => (
              <th key={column} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {TABLE_X.map((x, row) => (
            <tr key={x}>
              <th scope="row" class="number">
                {x}
              </th>
              {columns.map(([, column]) => (
                <td key={column} class="number">
                  {figure(at[column][row])}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  );
}
