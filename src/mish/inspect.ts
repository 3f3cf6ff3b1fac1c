import { scan } from '../onnx/scan.js';
import type { ModelInput } from '../onnx/source.js';
import type { Inspection, MishSummary, ValueSummary } from './inspection.js';
import type { SiteOptions } from './sites.js';

export type { Inspection, MishSummary, ValueSummary };

/**
 * Describes a model: its inputs and outputs, its activations and its Mish. Throws the errors of `scan`.
 *
 * @example
 * import { inspect } from 'onnx-mish';
 *
 * const { sites, skipped } = await inspect(bytes);
 * for (const { kind, label } of sites) console.log(kind, label);
 */
export async function inspect(input: ModelInput, options: SiteOptions = {}): Promise<Inspection> {
  const { inspectDocument } = await import('./inspect-document.js'); // loaded on demand, for smaller pages
  return inspectDocument(await scan(input), options);
}
