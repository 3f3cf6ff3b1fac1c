// The model that is open, and what was swapped from it.

import { OnnxMishError } from '../../../base/error.js';
import { STEEPEST } from '../../../mish/forms.js';
import { type Inspection, inspectDocument } from '../../../mish/inspect.js';
import type { Plan } from '../../../mish/plan.js';
import { swapDocument } from '../../../mish/swap.js';
import type { OnnxDocument } from '../../../onnx/document.js';
import { scan } from '../../../onnx/scan.js';
import { toSource } from '../../../onnx/source.js';
import type { NamedFile, SwapChoice, SwappedModel } from '../protocol.js';

/** A model in the page. */
export interface Model {
  readonly name: string;
  readonly blob: Blob;
  readonly document: OnnxDocument;
  readonly inspection: Inspection;
  /** External data by its location. */
  readonly external: ReadonlyMap<string, Blob>;
  /** Locations for which no file was given. */
  readonly missing: readonly string[];
}

/** Reads a model. Throws as `scan` does. */
export async function openModel({ name, blob }: NamedFile, files: readonly NamedFile[]): Promise<Model> {
  const document = await scan(toSource(blob, name));
  const inspection = inspectDocument(document);
  const external = new Map<string, Blob>();
  for (const location of inspection.externalData) {
    const file = fileFor(location, files);
    if (file !== undefined) external.set(location, file.blob);
  }
  const missing = inspection.externalData.filter((location) => !external.has(location));
  return { name, blob, document, inspection, external, missing };
}

/** Who drops a file drops it without its folder, so its own name is enough. */
function fileFor(location: string, files: readonly NamedFile[]): NamedFile | undefined {
  const last = (path: string) => path.split(/[\\/]/).at(-1);
  return (
    files.find(({ name }) => name === location) ?? files.find(({ name }) => last(name) === last(location))
  );
}

/** Swaps sites of a model: to the same bytes as the command line. Throws as `swap` does. */
export async function swapModel(model: Model, choice: SwapChoice): Promise<SwappedModel> {
  const { form, beta, leaky } = choice;
  const all = model.inspection.sites;
  const whole = all.every((_, index) => choice.sites.includes(index));
  const { output, report } = await swapDocument(
    model.document,
    whole ? { form, beta, leaky } : { plan: planFor(all, choice) },
  );
  return { name: mishName(model.name), blob: await output.blob(), report };
}

/** The sites that were chosen, less those whose slope allows no mixture where mixtures are asked for. */
function planFor(all: Inspection['sites'], { form, beta, leaky, sites }: SwapChoice): Plan {
  const planned = all.flatMap(({ scope, output, alpha }, index) => {
    if (!sites.includes(index)) return [];
    if (leaky === 'mish' || alpha === undefined || alpha === 0) return [{ scope, output }];
    if (typeof alpha !== 'number' || Math.abs(alpha) > STEEPEST) return [];
    return [{ scope, output, leak: alpha }];
  });
  return { schema: 'onnx-mish/plan@1', form, beta, sites: planned, skipped: [] };
}

/** `model.mish.onnx` for `model.onnx`. */
function mishName(name: string): string {
  return `${name.replace(/\.onnx$/i, '')}.mish.onnx`;
}

/** Throws `external-data` unless everything that running it takes is there. */
export function checkComplete({ name, missing }: Model): void {
  if (missing.length === 0) return;
  throw new OnnxMishError('external-data', `its weights are in ${missing.join(', ')}`, {
    where: name,
    fix: 'Give that file as well: it can be seen and swapped without, and not run',
  });
}
