import { durationText } from '../../../render/finetune-figures.js';
import { PROVIDER_NAMES } from '../page/parts.js';
import type { ProviderEvent, StepEvent } from '../room-protocol.js';

/** Shows the progress of a training, and the provider that trains. */
export function TrainingStatus(props: {
  readonly label: string;
  readonly step: StepEvent;
  readonly provider: ProviderEvent | null;
  readonly ended: 'no' | 'done' | 'stopped' | 'failed';
}) {
  const { label, step, provider, ended } = props;
  const { text, share, secondsLeft } = step;
  const left = secondsLeft === undefined ? '' : `, about ${durationText(Math.ceil(secondsLeft))} left`;
  return (
    <>
      {ended === 'no' && (
        <p class="step">
          <progress aria-label={label} max={1} value={share} />
          {` ${sentence(text)}: ${Math.floor(100 * share)} %${left}`}
        </p>
      )}
      {ended === 'stopped' && <p class="step">Stopped after the last whole epoch.</p>}
      {provider !== null && (
        <p class="quiet">
          {`Trains on ${PROVIDER_NAMES[provider.provider]}`}
          {provider.reason === null ? '.' : `: ${provider.reason}.`}
        </p>
      )}
    </>
  );
}

const sentence = (text: string) => `${text[0]?.toUpperCase() ?? ''}${text.slice(1)}`;
