import { figure } from '../../../render/figures.js';

/** Largest distance between Mish with β = 1 and ReLU, at x = -1.19. */
const MAX_DISTANCE = 0.3088;

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
        {beta === 1 ? 'plain Mish' : `at most ${figure(MAX_DISTANCE / beta)} away from ReLU`}
      </span>
    </div>
  );
}
