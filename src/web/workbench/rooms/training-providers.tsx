import { Choice, PROVIDER_NAMES } from '../page/parts.js';
import type { TrainingProvider } from '../room-protocol.js';

const CHOICES: [provider: TrainingProvider, label: string][] = [
  ['webgpu', `${PROVIDER_NAMES.webgpu}, if it computes the same as ${PROVIDER_NAMES.wasm}`],
  ['wasm', PROVIDER_NAMES.wasm],
];

/** Shows the choice of the provider that a room trains on. */
export function ProviderChoice(props: {
  readonly name: string;
  readonly value: TrainingProvider;
  readonly onChoice: (provider: TrainingProvider) => void;
}) {
  return <Choice {...props} label="Train on" options={CHOICES} />;
}
