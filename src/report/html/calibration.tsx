import type { Calibration, LayerRepair } from '../../calibrate/index.js';
import {
  keptWords,
  methodWords,
  notesOf,
  OUTPUT_HEAD,
  outputRows,
  samplesWords,
  sharpnessWords,
  swapWords,
  tuningWords,
} from '../calibration.js';
import { figure, percent, tellApart } from '../figures.js';
import { htmlDocument } from './document.js';
import { colour, draw, logTicks, numberedAxis, tip } from './draw.js';
import { type Chart, ChartCard, Facts, Name, Table } from './parts.js';

/** Layers that a chart has room for; the table has all. */
const MOST_BARS = 60;

/** The page of what a calibration did; its text has to be printable. */
export async function calibrationPage(calibration: Calibration, model: string): Promise<string> {
  const { layers, leftAlone, sites, sharpness } = calibration;
  const chart = await layerChart(layers);
  return htmlDocument(
    `Calibration of ${model}`,
    <>
      <p class="eyebrow">onnx-mish calibrate</p>
      <h1>
        Mish in <Name text={model} longest={120} />, repaired
      </h1>
      <div class="wide">
        <Facts
          facts={{
            swapped: swapWords(calibration),
            samples: samplesWords(calibration.samples),
            result: keptWords(calibration),
            ...(calibration.tuning === null ? {} : { steps: tuningWords(calibration).join(' ') }),
            ...(sharpness === null ? {} : { sharpness: sharpnessWords(calibration).join(' ') }),
          }}
        />
        {notesOf(calibration).map((note) => (
          <p class="soft">Note: {note}.</p>
        ))}
      </div>
      <h2>Outputs</h2>
      <div class="wide">
        <Table
          head={OUTPUT_HEAD}
          rows={outputRows(calibration).map(([output = '', ...rest]) => [<Name text={output} />, ...rest])}
        />
        <p class="soft">On samples that neither the weights nor the choice between them has seen.</p>
      </div>
      <h2>Layers</h2>
      {chart !== null && (
        <div class="grid">
          <ChartCard chart={chart} />
        </div>
      )}
      <div class="wide">
        {layers.length === 0 ? (
          <p>No layer after a site could be solved anew.</p>
        ) : (
          <Table
            head={['layer', 'operator', 'numbers', 'rows', 'error', 'after', 'by', 'tried']}
            rows={layers.map((layer) => [
              <Name text={layer.label} />,
              layer.op,
              layer.parameters,
              layer.rows,
              percent(layer.before),
              percent(layer.after),
              methodWords(layer),
              layer.tried
                .map(
                  ({ method, ridge, loss }) =>
                    `${method}${ridge === null ? '' : ` ${figure(ridge)}`}: ${percent(loss)}`,
                )
                .join(', '),
            ])}
          />
        )}
        <p class="soft">
          Error: share of the variance of the layer’s output in the original, on held-out samples, when it was
          the layer’s turn and after it.
        </p>
      </div>
      {leftAlone.length > 0 && (
        <div class="wide">
          <h2>Left alone</h2>
          <Table
            head={['layer', 'operator', 'why']}
            rows={leftAlone.map(({ label, op, why }) => [
              <Name text={label} />,
              op,
              <Name text={why} longest={300} />,
            ])}
          />
        </div>
      )}
      <h2>Sites</h2>
      <div class="wide">
        <Table
          head={['site', 'was', 'is', 'β', '% bends']}
          rows={sites.map(({ label, kind, leak, beta, bends }) => [
            <Name text={label} />,
            kind,
            leak === undefined ? 'Mish' : `mixture, α ${figure(leak)}`,
            beta,
            bends === null ? null : 100 * bends,
          ])}
        />
        <p class="soft">
          Bends: share of the inputs with |βx| &lt; 4. Where it is small, the site is ReLU in all but name.
        </p>
      </div>
      {sharpness !== null && (
        <div class="wide">
          <h2>Sharpnesses tried</h2>
          <Table
            head={['around β', 'median β', 'gradient steps', 'measured', 'budget']}
            rows={sharpness.trials.map(({ scale, median, tuned, verdicts }) => [
              scale,
              median,
              tuned ? 'yes' : 'no',
              verdicts.map(({ measure, value }) => `${measure} ${figure(value, 4)}`).join(', '),
              verdicts.every(({ kept }) => kept) ? 'kept' : 'not kept',
            ])}
          />
        </div>
      )}
    </>,
  );
}

/** The error of each layer before and after, on a log axis. */
async function layerChart(layers: readonly LayerRepair[]): Promise<Chart | null> {
  const shown = layers.slice(0, MOST_BARS);
  if (shown.length === 0) return null;
  const names = tellApart(
    shown.map(({ label }) => label),
    28,
  ).map((name, index) => `${index + 1}\n${name}`);
  const least = 1e-7; // what is exact has to be drawn somewhere
  const points = shown.flatMap(({ before, after }, index) =>
    (
      [
        ['before', before],
        ['after', after],
      ] as const
    ).map(([when, error]) => ({
      layer: names[index] ?? '',
      when,
      error: Math.max(error, least),
      tip: `${names[index]?.split('\n')[1]}\n${when}: ${percent(error)}`,
    })),
  );
  const errors = points.map(({ error }) => error);
  const y = { field: 'layer', type: 'nominal', sort: null, axis: numberedAxis };
  const x = {
    field: 'error',
    type: 'quantitative',
    scale: { type: 'log', nice: false },
    axis: { title: 'error, share of the variance', values: logTicks(errors), format: '~g' },
  };
  const range = [colour(1), colour(0)];
  const marks = {
    mark: { type: 'point', filled: true, size: 60, opacity: 1 },
    encoding: {
      ...{ x, y, tooltip: tip },
      color: { field: 'when', type: 'nominal', scale: { domain: ['before', 'after'], range }, legend: null },
    },
  };
  const line = {
    mark: { type: 'line', color: colour(2), opacity: 0.5 },
    encoding: { x, y, detail: { field: 'layer' } },
  };
  return {
    title: 'Error of each layer',
    caption: `On held-out samples, before and after its repair, in the order of the network.${layers.length > shown.length ? ` The first ${shown.length} of ${layers.length}.` : ''}`,
    legend: ['before', 'after'].map((name, index) => ({ name, colour: range[index] ?? '' })),
    svg: await draw(
      { data: { values: points }, layer: [line, marks] },
      { height: 24 * shown.length, labels: names },
    ),
    head: ['layer', 'before', 'after'],
    rows: shown.map(({ label, before, after }) => [label, percent(before), percent(after)]),
  };
}
