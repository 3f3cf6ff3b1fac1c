import { useMemo, useState } from 'preact/hooks';
import type { Landscape } from '../../../experiment/report-schema.js';
import { figure } from '../../../render/figures.js';
import { LOSS_COLOURS, type LossScale, lossScale } from '../../../render/loss-scale.js';
import {
  DEFAULT_VIEW,
  faceBands,
  type SurfaceView,
  surfaceFaces,
  surfaceHeights,
} from '../../../render/surface.js';

/** A landscape with the name of its activation. */
interface NamedLandscape {
  readonly label: string;
  readonly landscape: Landscape;
}

/** Radians by which a surface turns and tilts with each pixel of the mouse. */
const TURN_PER_PIXEL = 1 / 150;
const TILT_PER_PIXEL = 1 / 200;
/** Least and greatest tilt in radians. */
const TILTS = [0.15, 1] as const;
/** Degrees in a radian. */
const DEGREES = 180 / Math.PI;

/** Shows the surfaces of all landscapes on one scale. They turn together, under the mouse or by sliders. */
export function LandscapeView({ landscapes }: { readonly landscapes: readonly NamedLandscape[] }) {
  const [view, setView] = useState<SurfaceView>(DEFAULT_VIEW);
  const scale = useMemo(() => lossScale(landscapes.map(({ landscape }) => landscape)), [landscapes]);
  const turnBy = (across: number, down: number) =>
    setView(({ turn, tilt }) => ({
      turn: wrapped(turn + across * TURN_PER_PIXEL),
      tilt: Math.max(TILTS[0], Math.min(TILTS[1], tilt + down * TILT_PER_PIXEL)),
    }));
  return (
    <section class="card" aria-labelledby="landscape-title">
      <h2 id="landscape-title">Loss landscapes</h2>
      <p class="quiet">
        The test loss around the trained weights, along two random directions, which are the same for all
        activations. Dark is low. Drag a surface to turn all of them. A roughness of 0 means that every line
        across a surface has a single valley.
      </p>
      <div class="surfaces">
        {landscapes.map(({ label, landscape }) => (
          <Surface
            key={label}
            label={label}
            landscape={landscape}
            scale={scale}
            view={view}
            onTurn={turnBy}
          />
        ))}
      </div>
      <div class="latencies">
        <ViewSlider
          id="turn"
          label="Turn"
          value={view.turn}
          ends={[-Math.PI, Math.PI]}
          onValue={(turn) => setView({ ...view, turn })}
        />
        <ViewSlider
          id="tilt"
          label="Tilt"
          value={view.tilt}
          ends={TILTS}
          onValue={(tilt) => setView({ ...view, tilt })}
        />
      </div>
    </section>
  );
}

/** Returns the angle between -π and π. */
function wrapped(angle: number): number {
  const whole = 2 * Math.PI;
  return ((((angle + Math.PI) % whole) + whole) % whole) - Math.PI;
}

function Surface(props: {
  readonly label: string;
  readonly landscape: Landscape;
  readonly scale: LossScale;
  readonly view: SurfaceView;
  readonly onTurn: (across: number, down: number) => void;
}) {
  const { label, landscape, scale, view, onTurn } = props;
  const { points, roughness } = landscape;
  const heights = useMemo(() => surfaceHeights(landscape, scale), [landscape, scale]);
  const bands = useMemo(() => faceBands(heights, points, LOSS_COLOURS.length), [heights]);
  const [low, high] = ends(landscape);
  return (
    <figure>
      <figcaption>
        <h3>{label}</h3>
        <span class="quiet">{`roughness ${figure(roughness)}`}</span>
      </figcaption>
      <svg
        class="surface"
        viewBox="-1.5 -1.35 3 2.5"
        role="img"
        aria-label={`Loss landscape of ${label}: losses from ${figure(low)} to ${figure(high)}, roughness ${figure(roughness)}.`}
        onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={(event) => {
          if (event.currentTarget.hasPointerCapture(event.pointerId))
            onTurn(event.movementX, event.movementY);
        }}
      >
        {surfaceFaces(heights, bands, points, view).map(({ index, band, corners }) => (
          <polygon
            key={index}
            points={corners.map(([x, y]) => `${x.toFixed(3)},${y.toFixed(3)}`).join(' ')}
            fill={LOSS_COLOURS[band]}
          />
        ))}
      </svg>
    </figure>
  );
}

function ends({ losses }: Landscape): readonly [number, number] {
  const finite = losses.filter((loss) => loss !== null);
  return [Math.min(...finite), Math.max(...finite)];
}

function ViewSlider(props: {
  readonly id: string;
  readonly label: string;
  readonly value: number;
  readonly ends: readonly [number, number];
  readonly onValue: (value: number) => void;
}) {
  const {
    id,
    label,
    value,
    ends: [from, to],
    onValue,
  } = props;
  const degrees = Math.round(value * DEGREES);
  return (
    <div class="slider">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="range"
        min={Math.round(from * DEGREES)}
        max={Math.round(to * DEGREES)}
        step={1}
        value={degrees}
        aria-valuetext={`${degrees} degrees`}
        onInput={({ currentTarget }) => onValue(currentTarget.valueAsNumber / DEGREES)}
      />
      <output for={id}>{`${degrees}°`}</output>
    </div>
  );
}
