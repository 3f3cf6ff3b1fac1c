import { figure } from '../../../render/figures.js';

/** Converts β to a slider position: equal steps are equal ratios, from 1/2 to 16. */
const toSlider = (beta: number) => Math.round(Math.log2(beta) * 20);
const fromSlider = (position: number) => Number((2 ** (position / 20)).toPrecision(3));

/** Shows a slider for the sharpness of Mish. */
export function SharpnessSlider(props: {
  readonly id: string;
  readonly beta: number;
  readonly onBeta: (beta: number) => void;
}) {
  const { id, beta, onBeta } = props;
  return (
    <div class="slider">
      <label for={id}>Sharpness β</label>
      <input
        id={id}
        type="range"
        min={toSlider(0.5)}
        max={toSlider(16)}
        step={1}
        value={toSlider(beta)}
        aria-valuetext={`β = ${beta}`}
        onInput={({ currentTarget }) => onBeta(fromSlider(currentTarget.valueAsNumber))}
      />
      <output for={id}>{beta}</output>
      <span class="quiet">
        {beta === 1 ? 'plain Mish' : `at most ${figure(0.3088 / beta)} away from ReLU`}
      </span>
    </div>
  );
}
