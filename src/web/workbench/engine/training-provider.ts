// The choice of the provider that trains: WebGPU only where its losses equal WASM's.
import { messageOf, OnnxMishError } from '../../../base/error.js';
import type { Provider } from '../../../providers/provider.js';
import { MISSING } from '../../../providers/web-providers.js';
import { gpuFacts } from '../../harness/facts.js';
import { type External, ortProvider } from '../../harness/ort-provider.js';
import { loadRuntime } from '../../harness/runtime.js';
import type { ProviderEvent, TrainingProvider } from '../room-protocol.js';
import { compareSteps, type TriedTraining } from './compare-steps.js';
import { pageProvider } from './provider.js';
import { ortBase } from './sent.js';

/** The chosen provider, and why not the preferred one. */
export interface ChosenProvider extends Pick<ProviderEvent, 'reason'> {
  readonly name: TrainingProvider;
  readonly provider: Provider;
}

/**
 * Returns the preferred provider if the first losses of each training equal those on WASM, and WASM otherwise. A GPU that
 * software emulates is slower than WASM, and is not tried. `trainings` is called only for a provider that is tried.
 */
export async function chooseProvider(
  preferred: TrainingProvider,
  external: readonly External[],
  trainings: (wasm: Provider) => Promise<readonly TriedTraining[]>,
): Promise<ChosenProvider> {
  const wasm = pageProvider('wasm', ortBase(), external);
  const onWasm = (reason: string | null): ChosenProvider => ({ name: 'wasm', provider: wasm, reason });
  if (preferred === 'wasm') return onWasm(null);
  const unusable = await whyNoWebGpu();
  if (unusable !== undefined) return onWasm(unusable);
  const tried = await trainings(wasm); // errors in the samples are the user's to know
  try {
    const webgpu = ortProvider('webgpu', () => loadRuntime('webgpu', ortBase()), external);
    for (const training of tried) await compareSteps(training, webgpu, wasm);
    return { name: 'webgpu', provider: webgpu, reason: null };
  } catch (error) {
    return onWasm(reasonOf(error));
  }
}

/** Returns why this browser’s WebGPU is not tried; undefined for a GPU. */
async function whyNoWebGpu(): Promise<string | undefined> {
  try {
    const { missing, software } = await gpuFacts('webgpu');
    if (missing !== undefined) return MISSING[missing].reason;
    return software === true ? 'the browser emulates WebGPU on the CPU, which is slower' : undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

const reasonOf = (error: unknown) => (error instanceof OnnxMishError ? error.what : messageOf(error));
