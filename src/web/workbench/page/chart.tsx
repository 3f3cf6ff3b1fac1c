import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';

export type Data = readonly (readonly (number | null)[])[];

/** One line or area of a chart; its colour is a variable of the style sheet. */
export interface Line {
  readonly label: string;
  readonly colour: string;
  readonly width?: number;
  readonly dash?: readonly number[];
  /** Whether to mark each value, so that a line of one value shows. */
  readonly points?: boolean;
  /** Whether to draw filled steps from 0, on a separate scale. */
  readonly area?: boolean;
}

export interface ChartProps {
  /** Description for screen readers; a table beside the chart has the figures. */
  readonly label: string;
  readonly lines: readonly Line[];
  /** The x values, followed by one list of y values for each line. */
  readonly data: Data;
  readonly height: number;
  /** Ends of the y axis; default: the range of the data. */
  readonly range?: readonly [number, number];
  /** Ends of an x axis of whole numbers; default: the range of the data. */
  readonly xRange?: readonly [number, number];
}

/** Distances between the marks of an axis of whole numbers. */
const WHOLE_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500];

/** Height of an area's scale in multiples of its highest bin, so that the area stays below the lines. */
const HEADROOM = 2.6;

/** Draws a chart that adapts to the width of its box and to the page's colours. */
export function LineChart({ label, lines, data, height, range, xRange }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const values = data as unknown as uPlot.AlignedData;
  const latest = useRef(values);
  latest.current = values;
  const key = JSON.stringify([lines, height, range, xRange]);

  useEffect(() => {
    const place = box.current;
    if (place === null) return;
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf({ lines, height, range, xRange, place }), latest.current, place);
    };
    draw();
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', draw);
    const resized = new ResizeObserver(() =>
      plot.current?.setSize({ width: Math.max(120, place.clientWidth), height }),
    );
    resized.observe(place);
    return () => {
      dark.removeEventListener('change', draw);
      resized.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [key]);

  useEffect(() => {
    plot.current?.setData(values);
  }, [data]);

  return <div ref={box} class="chart" role="img" aria-label={label} style={{ height: `${height}px` }} />;
}

function optionsOf(props: {
  readonly lines: readonly Line[];
  readonly height: number;
  readonly range: readonly [number, number] | undefined;
  readonly xRange: readonly [number, number] | undefined;
  readonly place: HTMLElement;
}): uPlot.Options {
  const { lines, height, range, xRange, place } = props;
  const style = getComputedStyle(place);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: colour('--muted'),
    font: `12px ${style.fontFamily}`,
    grid: { stroke: colour('--grid'), width: 1 },
    ticks: { show: false },
  };
  const steps = uPlot.paths.stepped?.({ align: 1 });
  return {
    width: Math.max(120, place.clientWidth),
    height,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, ...(xRange === undefined ? {} : { range: [xRange[0], xRange[1]] }) },
      y: range === undefined ? {} : { range: [range[0], range[1]] },
      area: { range: (_plot, _least, most) => [0, Math.max(most, 1e-9) * HEADROOM] },
    },
    axes: [
      { ...axis, space: 60, size: 28, ...(xRange === undefined ? {} : { incrs: WHOLE_STEPS }) },
      { ...axis, size: 44 },
    ],
    series: [
      {},
      ...lines.map(
        ({ label, colour: name, width = 2, dash, points = false, area = false }): uPlot.Series => ({
          label,
          stroke: colour(name),
          width,
          spanGaps: true, // lines have their values at different places
          points: points ? { show: true, size: 6, fill: colour(name) } : { show: false },
          ...(dash === undefined ? {} : { dash: [...dash] }),
          ...(area
            ? { scale: 'area', fill: colour('--area'), ...(steps === undefined ? {} : { paths: steps }) }
            : {}),
        }),
      ),
    ],
  };
}

/** Shows the names and colours of the lines. */
export function Legend({ lines }: { readonly lines: readonly Line[] }) {
  return (
    <ul class="legend">
      {lines.map(({ label, colour, dash, width = 2, area = false }, index) => (
        <li key={`${index} ${label}`}>
          <svg viewBox="0 0 28 10" width="28" height="10" aria-hidden="true">
            {area ? (
              <rect width="28" height="10" style={{ fill: 'var(--area)', stroke: `var(${colour})` }} />
            ) : (
              <path
                d="M0 5H28"
                style={{ stroke: `var(${colour})`, strokeWidth: width, strokeDasharray: dash?.join(' ') }}
              />
            )}
          </svg>
          {label}
        </li>
      ))}
    </ul>
  );
}
