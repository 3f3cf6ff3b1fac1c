import { capitalised } from '../../../base/in-words.js';
import { durationText } from '../../../render/finetune-figures.js';
import type { StepEvent } from '../protocol.js';

/** Shows the progress of a work and the time left. */
export function WorkStatus(props: {
  readonly label: string;
  readonly step: StepEvent;
  readonly ended: 'no' | 'done' | 'stopped' | 'failed';
  /** Sentence after a stop. */
  readonly stopped: string;
}) {
  const { label, step, ended, stopped } = props;
  const { text, share, secondsLeft } = step;
  const left = secondsLeft === undefined ? '' : `, about ${durationText(Math.ceil(secondsLeft))} left`;
  if (ended === 'stopped') return <p class="step">{stopped}</p>;
  if (ended !== 'no') return null;
  return (
    <p class="step">
      <progress aria-label={label} max={1} value={share} />
      {` ${capitalised(text)}: ${Math.floor(100 * share)} %${left}`}
    </p>
  );
}
