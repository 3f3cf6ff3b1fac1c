import { sha256 } from '../base/sha256.js';
import { digestArrays } from '../data/digest-arrays.js';
import type { Samples } from '../data/samples.js';
import { type Targets, targetNumbers } from './targets.js';

/** Returns the SHA-256 of samples and their targets, by which a checkpoint knows its data. Throws `bad-data` for targets that are strings. */
export async function digestData(samples: Samples, targets: Targets): Promise<string> {
  const { count, inputs } = samples;
  const data = Float64Array.from(targetNumbers(targets));
  const answers = await digestArrays([{ name: 'targets', elemType: 'f64', dims: [data.length], data }]);
  return sha256(JSON.stringify({ count, inputs, values: await samples.digest?.(), answers }));
}
