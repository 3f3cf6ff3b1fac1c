import { integer } from '../../base/plural.js';
import { hasSharpness } from '../../metrics/curved-share.js';
import { activationLabel } from '../../mish/activations.js';
import type { Calibration, LayerRepair, Method } from '../../node/calibrate.js';
import {
  changesWeights,
  describeCurved,
  describeDifference,
  describeFold,
  describeInt8,
  describeMethod,
  describeResult,
  describeSamples,
  describeSharpness,
  describeSwap,
  describeTuning,
  describeUnfolded,
  errorText,
  MAX_ERROR,
  nameOfSwap,
  notesOf,
  outputHead,
  outputRows,
  siteLegend,
} from '../calibration-figures.js';
import { figure, tellApart } from '../figures.js';
import { htmlDocument } from './document.js';
import { colour, colourBy, draw, logTicks, numberedAxis, tip } from './draw.js';
import { driftChart } from './error-charts.js';
import { ChartCard, FactList, Name, Table, type TabledChart } from './parts.js';

/** Maximum layers in a chart; the table lists all layers. */
const MAX_BARS = 60;

/** Returns an HTML page with the result of a calibration. The text in `calibration` must be printable. */
export async function calibrationPage(calibration: Calibration, model: string): Promise<string> {
  const { layers, leftAlone, sharpness } = calibration;
  const layerErrors = await layerChart(layers);
  const outputs = await outputChart(calibration);
  return htmlDocument(
    `Calibration of ${model}`,
    <>
      <p class="eyebrow">onnx-mish calibrate</p>
      <h1>
        {activationLabel(calibration.to)} in <Name text={model} longest={120} />
        {calibration.kept === 'calibrated' && changesWeights(calibration) ? ', repaired' : ', not repaired'}
      </h1>
      <div class="wide">
        <FactList facts={factsOf(calibration)} />
        {[...describeFold(calibration).slice(1), ...describeUnfolded(calibration)].map((line) => (
          <p class="soft">{line}</p>
        ))}
        {notesOf(calibration).map((note) => (
          <p class="soft">Note: {note}.</p>
        ))}
      </div>
      <Outputs calibration={calibration} chart={outputs} />
      <Layers layers={layers} chart={layerErrors} />
      {leftAlone.length > 0 && <LeftAlone layers={leftAlone} />}
      <Sites calibration={calibration} />
      {sharpness !== null && <Trials trials={sharpness.trials} />}
    </>,
  );
}

function Outputs(props: { readonly calibration: Calibration; readonly chart: TabledChart | undefined }) {
  const { calibration, chart } = props;
  return (
    <>
      <h2>Outputs</h2>
      {chart !== undefined && (
        <div class="grid">
          <ChartCard chart={chart} />
        </div>
      )}
      <div class="wide">
        <Table
          head={outputHead(calibration)}
          rows={outputRows(calibration).map(([output = '', ...rest]) => [<Name text={output} />, ...rest])}
        />
        <p class="soft">
          {calibration.sharpness === null
            ? 'On test samples, which were used neither to fit weights nor to choose between fits.'
            : 'On samples that no weights were fitted to. They were also used to choose β.'}
        </p>
      </div>
    </>
  );
}

function Layers(props: Pick<Calibration, 'layers'> & { readonly chart: TabledChart | undefined }) {
  const { layers, chart } = props;
  return (
    <>
      <h2>Layers</h2>
      {chart !== undefined && (
        <div class="grid">
          <ChartCard chart={chart} />
        </div>
      )}
      <div class="wide">
        {layers.length === 0 ? (
          <p>No layer after a site could be fitted again.</p>
        ) : (
          <Table
            head={['layer', 'operator', 'numbers', 'rows', 'error', 'after', 'by', ...METHODS]}
            rows={layers.map((layer) => [
              <Name text={layer.label} />,
              layer.op,
              layer.parameters,
              layer.rows,
              errorText(layer.before),
              errorText(layer.after),
              describeMethod(layer),
              ...METHODS.map((method) => errorText(bestOf(layer, method))),
            ])}
          />
        )}
        <p class="soft">
          Error: mean squared error of the layer’s output against the original, divided by the variance of the
          original’s output. On validation samples, before and after the layer’s repair. The last columns show
          the error that each method would have left.
        </p>
      </div>
    </>
  );
}

function LeftAlone({ layers }: { readonly layers: Calibration['leftAlone'] }) {
  return (
    <>
      <h2>Not repaired</h2>
      <div class="wide">
        <Table
          head={['layer', 'operator', 'why']}
          rows={layers.map(({ label, op, why }) => [
            <Name text={label} />,
            op,
            <Name text={why} longest={300} />,
          ])}
        />
      </div>
    </>
  );
}

function Sites({ calibration }: { readonly calibration: Calibration }) {
  const { sites } = calibration;
  const written = activationLabel(calibration.to);
  const isMish = written === 'Mish';
  const isSharp = hasSharpness(calibration.to);
  return (
    <>
      <h2>Sites</h2>
      <div class="wide">
        <Table
          head={['site', 'was', 'is', ...(isSharp ? ['β', '% bends'] : ['α'])]}
          rows={sites.map(({ label, kind, leak, beta, bends }) => [
            <Name text={label} />,
            kind,
            leak === undefined || !isMish ? written : `mixture, α ${figure(leak)}`,
            ...(isSharp ? [beta, bends === null ? null : 100 * bends] : [leak ?? null]),
          ])}
        />
        {isSharp && <p class="soft">{siteLegend(calibration)}</p>}
      </div>
    </>
  );
}

/** Shows the values of β that were tried. */
function Trials({ trials }: Pick<NonNullable<Calibration['sharpness']>, 'trials'>) {
  return (
    <>
      <h2>Values of β tried</h2>
      <div class="wide">
        <Table
          head={['around β', 'median β', 'gradient steps', 'measured', 'budget']}
          rows={trials.map(({ scale, median, tuned, verdicts }) => [
            scale,
            median,
            tuned ? 'yes' : 'no',
            verdicts.map(({ measure, value }) => `${measure} ${figure(value, 4)}`).join(', '),
            verdicts.every(({ kept }) => kept) ? 'kept' : 'not kept',
          ])}
        />
      </div>
    </>
  );
}

/** Returns the facts at the top as elements, because `FactList` shortens long strings. */
function factsOf(calibration: Calibration) {
  const facts = {
    swapped: [describeSwap(calibration)],
    samples: [`${describeSamples(calibration.samples)}.`],
    result: [...describeDifference(calibration), describeResult(calibration)],
    steps: describeTuning(calibration),
    curved: describeCurved(calibration),
    sharpness: describeSharpness(calibration),
    folded: describeFold(calibration).slice(0, 1),
    int8: describeInt8(calibration),
  };
  const entries = Object.entries(facts).filter(([, words]) => words.length > 0);
  return Object.fromEntries(entries.map(([term, words]) => [term, <span>{words.join(' ')}</span>]));
}

/** Methods to fit a layer, from fewest to most free parameters. */
const METHODS: readonly Method[] = ['bias', 'affine', 'least-squares'];

/** Returns the least error that a method left, over all ridges. */
function bestOf({ tried }: LayerRepair, wanted: Method): number | null {
  const losses = tried.flatMap(({ method, loss }) => (method === wanted ? [loss] : []));
  return losses.length === 0 ? null : Math.min(...losses);
}

/** Draws the SQNR of each output against the original, for the swap without repair and the calibrated model. */
async function outputChart(calibration: Calibration): Promise<TabledChart | undefined> {
  const { swapped, calibrated } = calibration;
  const lines = [
    ...calibrated.drift.map((drift) => ({ series: 'calibrated', drift })),
    ...swapped.drift.map((drift) => ({ series: nameOfSwap(calibration), drift })),
  ];
  return driftChart(
    'Outputs against the original’s',
    'Further right is closer to the original.',
    lines,
    true,
  );
}

/** Draws the error of each layer before and after, on a log axis. */
async function layerChart(layers: readonly LayerRepair[]): Promise<TabledChart | undefined> {
  const shown = layers.slice(0, MAX_BARS);
  if (shown.length === 0) return undefined;
  const names = tellApart(
    shown.map(({ label }) => label),
    22,
  ).map((name, index) => `${index + 1}\n${name}`);
  const least = 1e-7; // an error of 0 has no place on a log axis
  const points = shown.flatMap(({ before, after }, index) =>
    (
      [
        ['before', before],
        ['after', after],
      ] as const
    )
      .filter(([, error]) => Number.isFinite(error)) // drops NaN, which is null in JSON
      .map(([when, error]) => ({
        layer: names[index] ?? '',
        when,
        error: Math.min(Math.max(error, least), MAX_ERROR),
        tip: `${names[index]?.split('\n')[1]}\n${when}: ${errorText(error)}`,
      })),
  );
  const errors = points.map(({ error }) => error);
  const y = { field: 'layer', type: 'nominal', sort: null, axis: numberedAxis };
  const x = {
    field: 'error',
    type: 'quantitative',
    scale: { type: 'log', nice: false },
    axis: { title: 'share of the variance', values: logTicks(errors), format: '~%' },
  };
  const legend = [
    { name: 'before', colour: colour(1) },
    { name: 'after', colour: colour(0) },
  ];
  const marks = {
    mark: { type: 'point', filled: true, size: 60, opacity: 1 },
    encoding: {
      x,
      y,
      description: tip,
      color: colourBy('when', legend),
    },
  };
  const line = {
    mark: { type: 'line', color: colour(7), opacity: 0.4, aria: false },
    encoding: { x, y, detail: { field: 'layer' } },
  };
  return {
    title: 'Error of each layer',
    caption: `On validation samples, before and after its repair, in the order of the network, on a log scale.${layers.length > shown.length ? ` The first ${integer(shown.length)} of ${integer(layers.length)}.` : ''}`,
    legend,
    svg:
      points.length === 0
        ? null
        : await draw(
            { data: { values: points }, layer: [line, marks] },
            { height: (shown.length > 24 ? 16 : 24) * shown.length, labels: names, alone: true },
          ),
    head: ['layer', 'before', 'after'],
    rows: shown.map(({ label, before, after }) => [label, errorText(before), errorText(after)]),
  };
}
