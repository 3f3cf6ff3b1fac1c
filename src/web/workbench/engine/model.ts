// Holds the open model and swaps it.

import { OnnxMishError } from '../../../base/error.js';
import { MAX_SLOPE } from '../../../mish/forms.js';
import { inspectDocument } from '../../../mish/inspect-document.js';
import type { Inspection } from '../../../mish/inspection.js';
import type { Plan } from '../../../mish/plan.js';
import { keyOfSite, siteKey } from '../../../mish/results.js';
import { findSites } from '../../../mish/sites.js';
import { swapDocument } from '../../../mish/swap.js';
import type { OnnxDocument } from '../../../onnx/document.js';
import { dataLocations, readOutsideNumbers } from '../../../onnx/outside-numbers.js';
import { scan } from '../../../onnx/scan.js';
import { toSource } from '../../../onnx/source.js';
import type { NamedFile, OtherActivation, SwapChoice, SwappedModel } from '../protocol.js';
import { openFromBlobs } from './sent.js';
import { swapOptions } from './swap-options.js';

/** A model that is open in the page. */
export interface Model {
  readonly name: string;
  readonly blob: Blob;
  readonly document: OnnxDocument;
  /** Description for a swap to Mish. */
  readonly inspection: Inspection;
  /** Descriptions for swaps to other activations, as far as they were asked for. */
  readonly others: Map<OtherActivation, Promise<Inspection>>;
  /** External data files, by location. */
  readonly external: ReadonlyMap<string, Blob>;
  /** Locations of external data files that were not given. */
  readonly missing: readonly string[];
}

/** Reads a model. Throws what `scan` throws. */
export async function readModel({ name, blob }: NamedFile, files: readonly NamedFile[]): Promise<Model> {
  const document = await scan(toSource(blob, name));
  const locations = dataLocations(document).sort();
  const external = new Map<string, Blob>();
  for (const location of locations) {
    const file = fileFor(location, locations, files);
    if (file !== undefined) external.set(location, file.blob);
  }
  const missing = locations.filter((location) => !external.has(location));
  await readOutsideNumbers(document, openFromBlobs(external, name));
  const inspection = await inspectDocument(document);
  return { name, blob, document, inspection, others: new Map(), external, missing };
}

/** Returns the description for a swap to an activation, undefined for Mish. */
export async function inspectionFor(model: Model, to: OtherActivation | undefined): Promise<Inspection> {
  if (to === undefined) return model.inspection;
  const described = model.others.get(to) ?? inspectDocument(model.document, { to });
  model.others.set(to, described);
  return described;
}

/**
 * Returns the file for a location; of several, the last. A file of a dropped folder has a path that ends in the location. A file that
 * was dropped by itself has no folder: its name is enough if no other location has the same name.
 */
function fileFor(
  location: string,
  locations: readonly string[],
  files: readonly NamedFile[],
): NamedFile | undefined {
  const last = (path: string) => path.split(/[\\/]/).at(-1);
  const isAmbiguous = locations.filter((other) => last(other) === last(location)).length > 1;
  return (
    files.findLast(({ name }) => name === location) ??
    files.findLast(({ name }) => name.endsWith(`/${location}`)) ??
    (isAmbiguous ? undefined : files.findLast(({ name }) => last(name) === last(location)))
  );
}

/** Swaps sites of a model; the result has the same bytes as the command line's. Throws what `swap` throws. */
export async function swapModel(model: Model, choice: SwapChoice): Promise<SwappedModel> {
  const all = (await inspectionFor(model, choice.to)).sites;
  const whole = all.every((_, index) => choice.sites.includes(index));
  const { output, report } = await swapDocument(
    model.document,
    whole ? swapOptions(choice) : { plan: planFor(all, choice) },
  );
  return { name: swappedName(model.name, choice.to), blob: await output.blob(), report };
}

/** Returns the plan for the chosen sites. For mixtures it omits sites whose slope allows no mixture. */
function planFor(all: Inspection['sites'], { to, form, beta, leaky, sites }: SwapChoice): Plan {
  const planned = all.flatMap(({ scope, output, alpha }, index) => {
    if (!sites.includes(index)) return [];
    if (to !== undefined || leaky === 'mish' || alpha === undefined || alpha === 0)
      return [{ scope, output }];
    if (typeof alpha !== 'number' || Math.abs(alpha) > MAX_SLOPE) return [];
    return [{ scope, output, leak: alpha }];
  });
  const common = { schema: 'onnx-mish/plan@1', sites: planned, skipped: [] } as const;
  return to === undefined ? { ...common, form, beta } : { ...common, to, form: 'native', beta: 1 };
}

/** Returns `model.mish.onnx` for `model.onnx`; another activation has its own name there. */
export function swappedName(name: string, to: SwapChoice['to']): string {
  return `${name.replace(/\.onnx$/i, '')}.${to ?? 'mish'}.onnx`;
}

const isGlob = (name: string) => /[*?]/.test(name);

/**
 * Returns names for the option `include` that choose these sites of a document and no others; undefined for all sites. Two functions of a
 * model may have values of the same name. Throws `bad-usage` where no names choose the sites.
 */
export async function includedNames(
  document: OnnxDocument,
  all: Inspection['sites'],
  { to, sites: chosen }: Pick<SwapChoice, 'to' | 'sites'>,
): Promise<string[] | undefined> {
  const sites = chosen.flatMap((index) => all[index] ?? []);
  if (sites.length === all.length) return undefined;
  const wanted = new Set(sites.map(siteKey));
  const others = all.filter((site) => !wanted.has(siteKey(site)));
  const taken = new Set(others.flatMap(({ output, node }) => [output, node]));
  const isClear = (name: string) => name !== '' && !taken.has(name) && !isGlob(name);
  const include = sites.map(({ output, node }) => [output, node].find(isClear) ?? output);
  const { sites: found } = await findSites(document, { to, include });
  const keys = found.map(keyOfSite);
  if (keys.length === wanted.size && keys.every((key) => wanted.has(key))) return include;
  throw new OnnxMishError('bad-usage', 'a chosen site has the name of an activation that is not chosen', {
    where: document.source.name,
    fix: 'Choose all of the same name or none, or choose all sites',
  });
}

/** Throws `external-data` if an external data file was not given. */
export function checkComplete({ name, missing }: Model): void {
  if (missing.length === 0) return;
  throw new OnnxMishError(
    'external-data',
    `the model's weights are in ${missing.join(', ')}, not given yet`,
    {
      where: name,
      fix: 'Give this file as well; without it the model can be inspected and swapped, but not run',
    },
  );
}
