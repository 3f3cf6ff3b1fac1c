import { integer, plural } from '../../base/plural.js';
import type { Landscape } from '../../experiment/report-schema.js';
import { type GridPoint, ringsAbove } from '../contours.js';
import { figure } from '../figures.js';
import { LOSS_COLOURS, type LossScale, lossScale } from '../loss-scale.js';
import { DEFAULT_VIEW, faceBands, surfaceFaces, surfaceHeights } from '../surface.js';
import { Name, Raw, Table } from './parts.js';
import { SURFACE_HEIGHT, surfacePoint } from './surface-script.js';

/** Landscape of one activation. */
export interface NamedLandscape {
  readonly name: string;
  readonly landscape: Landscape;
}

/** Shows landscapes side by side as contours and surfaces, all on the same scale. Its page needs `SURFACE_SCRIPT`. */
export function Landscapes({ landscapes }: { landscapes: readonly NamedLandscape[] }) {
  const [first] = landscapes;
  if (first === undefined) return null;
  const scale = lossScale(landscapes.map(({ landscape }) => landscape));
  const { images } = first.landscape;
  return (
    <>
      <h2>Loss landscapes</h2>
      <p class="soft">
        Mean loss on {images} test samples around the trained weights of the first seed, along two random
        directions that all activations share. Each filter of a direction has the norm of the weight’s filter
        (Li et al. 2018). The axes count such norms, and the cross marks the trained weights. Biases and the
        parameters of normalisations stay. Roughness: the share of the ups and downs of the loss’s logarithm,
        along rows and columns, that a single valley would not have; 0 is a smooth bowl.
      </p>
      <Scale scale={scale} />
      <label class="turn" hidden>
        Turn the surfaces <input type="range" min="-180" max="180" value={degrees(DEFAULT_VIEW.turn)} />
      </label>
      <div class="grid">
        {landscapes.map((one) => (
          <LandscapeCard key={one.name} {...one} scale={scale} />
        ))}
      </div>
    </>
  );
}

const degrees = (radians: number) => Math.round((180 * radians) / Math.PI);

/** Returns the losses of a band: `0.52 to 0.71`. */
function bandText({ levels }: LossScale, band: number): string {
  const [low, high] = [levels[band - 1], levels[band]];
  if (low === undefined) return `below ${figure(high)}`;
  return high === undefined ? `${figure(low)} and above` : `${figure(low)} to ${figure(high)}`;
}

function Scale({ scale }: { scale: LossScale }) {
  return (
    <ul class="legend">
      {LOSS_COLOURS.map((shade, band) => (
        <li key={shade}>
          <span class="swatch" style={{ background: shade }} />
          {bandText(scale, band)}
        </li>
      ))}
    </ul>
  );
}

function LandscapeCard({ name, landscape, scale }: NamedLandscape & { readonly scale: LossScale }) {
  const { losses, points, span } = landscape;
  const place = (at: number) => figure(span * ((2 * at) / (points - 1) - 1));
  return (
    <figure class="card">
      <figcaption>
        <h3>
          <Name text={name} />
        </h3>
        {describe(landscape)}
      </figcaption>
      <Raw tag="div" class="chart" text={contourSvg(landscape, scale)} />
      <Raw tag="div" class="chart surface" text={surfaceSvg(landscape, scale)} />
      <details>
        <summary>Table</summary>
        <Table
          head={['second direction', 'first direction', 'loss']}
          rows={losses.map((loss, at) => [place(Math.floor(at / points)), place(at % points), loss])}
        />
      </details>
    </figure>
  );
}

/** Returns roughness and range of a landscape. */
function describe({ losses, roughness }: Landscape): string {
  const finite = losses.filter((loss) => loss !== null);
  if (finite.length === 0) return 'No loss is finite.';
  const broken = losses.length - finite.length;
  const holes = `; ${integer(broken)} of ${plural(losses.length, 'point')} ${broken === 1 ? 'is' : 'are'} not finite`;
  const range = `${figure(Math.min(...finite))} to ${figure(Math.max(...finite))}`;
  return `Roughness ${figure(roughness)}. Loss ${range}${broken > 0 ? holes : ''}.`;
}

const WIDTH = 400;
/** Left edge, upper edge and side of the plot. */
const [LEFT, TOP, SIDE] = [46, 12, 340];
const CONTOUR_HEIGHT = TOP + SIDE + 44;

const number = (value: number) => String(Math.round(10 * value) / 10);

/** Draws the bands of losses as filled contours. */
function contourSvg(landscape: Landscape, scale: LossScale): string {
  const { points, span } = landscape;
  const unit = SIDE / (points - 1);
  // The second direction points upwards.
  const at = ([column, row]: GridPoint) =>
    `${number(LEFT + unit * column)},${number(TOP + SIDE - unit * row)}`;
  const region = (band: number) => {
    const rings = ringsAbove(landscape, scale.levels[band - 1] ?? Number.NEGATIVE_INFINITY);
    const d = rings.map((ring) => `M${ring.map(at).join('L')}Z`).join('');
    const what = `aria-label="loss ${bandText(scale, band)}" role="graphics-symbol" aria-roledescription="band"`;
    return `<path d="${d}" fill="${LOSS_COLOURS[band]}" fill-rule="evenodd" ${what}/>`;
  };
  const centre = `${LEFT + SIDE / 2},${TOP + SIDE / 2}`;
  return [
    svgStart(CONTOUR_HEIGHT, 'Loss along both directions, as bands'),
    '<g stroke="var(--card)" stroke-width="0.5">',
    ...LOSS_COLOURS.map((_, band) => region(band)),
    '</g>',
    ...['#000', '#fff'].map(
      (shade, back) =>
        `<path d="M${centre}m-6,0h12m-6,-6v12" stroke="${shade}" stroke-width="${3.5 - 2 * back}" fill="none" pointer-events="none"/>`,
    ),
    axes(span),
    '</svg>',
  ].join('');
}

const svgStart = (height: number, label: string) =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="graphics-document" aria-roledescription="visualization" aria-label="${label}">`;

function axes(span: number): string {
  const text = (x: number, y: number, words: string, anchor: string) =>
    `<text x="${x}" y="${y}" text-anchor="${anchor}">${words}</text>`;
  const [right, bottom] = [LEFT + SIDE, TOP + SIDE];
  const ticks = [-span, 0, span].map((value) => figure(value));
  const labels = ticks.flatMap((words, at) => [
    text(LEFT + (SIDE * at) / 2, bottom + 17, words, at === 2 ? 'end' : 'middle'),
    text(LEFT - 7, bottom - (SIDE * at) / 2 + 4, words, 'end'),
  ]);
  const middle = TOP + SIDE / 2;
  const titles = [
    text(LEFT + SIDE / 2, bottom + 34, 'first direction', 'middle'),
    `<text transform="translate(${LEFT - 26},${middle}) rotate(-90)" text-anchor="middle">second direction</text>`,
  ];
  const frame = `<path d="M${LEFT},${TOP}H${right}V${bottom}H${LEFT}Z" fill="none" stroke="var(--line)"/>`;
  const style = 'fill="var(--soft)" font-size="11.5" font-family="system-ui, sans-serif"';
  return `${frame}<g ${style} aria-hidden="true">${[...labels, ...titles].join('')}</g>`;
}

/** Draws the surface as `SURFACE_SCRIPT` draws it again when it is turned; the data for it is in the element. */
function surfaceSvg(landscape: Landscape, scale: LossScale): string {
  const { points } = landscape;
  const heights = surfaceHeights(landscape, scale);
  const bands = faceBands(heights, points, LOSS_COLOURS.length);
  const faces = surfaceFaces(heights, bands, points, DEFAULT_VIEW).map(
    ({ corners, band }) =>
      `<polygon points="${corners.map(surfacePoint).join(' ')}" fill="${LOSS_COLOURS[band]}"/>`,
  );
  const data = `data-points="${points}" data-heights="${heights.join(' ')}" data-colours="${LOSS_COLOURS.join(' ')}"`;
  const start = svgStart(SURFACE_HEIGHT, 'Loss along both directions, as a surface').replace(
    '<svg',
    `<svg ${data}`,
  );
  return `${start}<g stroke="var(--card)" stroke-width="0.3" stroke-linejoin="round">${faces.join('')}</g></svg>`;
}
