import { PROVIDER_NAMES } from '../page/parts.js';
import { WorkStatus } from '../page/work-status.js';
import type { StepEvent } from '../protocol.js';
import type { ProviderEvent } from '../room-protocol.js';

/** Shows the progress of a training, and the provider that trains. */
export function TrainingStatus(props: {
  readonly label: string;
  readonly step: StepEvent;
  readonly provider: ProviderEvent | null;
  readonly ended: 'no' | 'done' | 'stopped' | 'failed';
}) {
  const { provider, ...work } = props;
  return (
    <>
      <WorkStatus {...work} stopped="Stopped after the last whole epoch." />
      {provider !== null && (
        <p class="quiet">
          {`Trains on ${PROVIDER_NAMES[provider.provider]}`}
          {provider.reason === null ? '.' : `: ${provider.reason}.`}
        </p>
      )}
    </>
  );
}
