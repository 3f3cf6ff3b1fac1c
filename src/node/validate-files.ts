import { OnnxMishError } from '../base/error.js';
import { seededFeeds } from '../data/dataset.js';
import type { ShapeOptions } from '../data/shapes.js';
import { openModel } from '../files/model-file.js';
import { inspect } from '../mish/inspect.js';
import type { BrowserSettings } from '../providers/browser/provider.js';
import { PROVIDERS, type ProviderName } from '../providers/provider.js';
import { modelInfo } from '../validate/model-info.js';
import type { Report } from '../validate/report-schema.js';
import { type Candidate, type ValidateOptions, validate } from '../validate/validate.js';
import { hashBytes, hashFile, host } from './host.js';
import { getProvider } from './provider-by-name.js';

/** A model file as a candidate for validation. Throws as `inspect` does, and `io`. */
export async function fileCandidate(path: string, name = path): Promise<Candidate> {
  const file = await openModel(path);
  try {
    return { model: path, info: modelInfo(name, await inspect(file), await hashFile(path)) };
  } finally {
    await file.close();
  }
}

/** Model bytes as a candidate. Throws `external-data` when tensors are in other files, which bytes cannot find. */
export async function bytesCandidate(bytes: Uint8Array, name: string): Promise<Candidate> {
  const inspection = await inspect(bytes);
  if (inspection.externalData.length > 0) {
    throw new OnnxMishError('external-data', 'a model with external data cannot be run from memory', {
      where: name,
      fix: 'Swap it to a file with `onnx-mish swap`, and give that as the second argument',
    });
  }
  return { model: bytes, info: modelInfo(name, inspection, hashBytes(bytes)) };
}

export interface FileValidation
  extends Partial<
      Pick<
        ValidateOptions,
        'data' | 'session' | 'latency' | 'thresholds' | 'perLayer' | 'profile' | 'signal' | 'onProgress'
      >
    >,
    ShapeOptions,
    Pick<BrowserSettings, 'browser' | 'timeoutMs'> {
  /** `cpu` unless given. */
  readonly providers?: readonly string[] | undefined;
  /** Seed of the noise that is fed where no `data` is given. */
  readonly seed?: number | undefined;
  /** How many different noises to feed; 4 unless given. */
  readonly runs?: number | undefined;
}

/**
 * Compares two model files, or candidates, on providers of this process and of a browser. Throws as `validate` does, and
 * `bad-usage` for a provider that does not exist.
 */
export async function validateFiles(
  original: string | Candidate,
  swapped: string | Candidate,
  options: FileValidation = {},
): Promise<Report> {
  const { browser, timeoutMs, signal, session } = options;
  const settings = { browser, timeoutMs, signal, threads: session?.threads };
  const providers = [...new Set(options.providers ?? ['cpu'])]
    .map(providerName)
    .map((name) => getProvider(name, settings));
  const { seed, runs = 4 } = options;
  if (providers.length === 0) {
    throw new OnnxMishError('bad-usage', 'no provider was named', {
      fix: `Choose from ${PROVIDERS.join(', ')}`,
    });
  }
  return validate({
    data: (inputs) => seededFeeds(inputs, { ...options, seed, count: Math.max(1, runs) }),
    ...options,
    original: typeof original === 'string' ? await fileCandidate(original) : original,
    swapped: typeof swapped === 'string' ? await fileCandidate(swapped) : swapped,
    providers,
    cpu: getProvider('cpu'),
    host: host(),
  });
}

function providerName(name: string): ProviderName {
  const known = PROVIDERS.find((provider) => provider === name);
  if (known !== undefined) return known;
  throw new OnnxMishError('bad-usage', `there is no provider '${name}'`, {
    fix: `Choose from ${PROVIDERS.join(', ')}`,
  });
}
