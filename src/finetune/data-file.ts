// Trained weights that were external data in the original go to a data file of their own.
import type { OnnxDocument } from '../onnx/document.js';
import { indexGraphs } from '../onnx/graph-index.js';
import { scan } from '../onnx/scan.js';
import { toSource } from '../onnx/source.js';
import { type Edit, type Spliced, splice } from '../onnx/splice.js';
import { externalEdit, floatBytes, readWeight, weightOf } from '../onnx/weights.js';
import type { EditableModel } from '../providers/loaded-model.js';

/** A file of external data. */
export interface DataFileContent {
  /** Name of the file, in the folder of the model. */
  readonly location: string;
  readonly bytes: Uint8Array;
}

/** Alignment of each tensor, as exporters write it. */
const ALIGNMENT_BYTES = 64;

/**
 * Moves weights that the trained model contains, and that were external data of the original, to a new data file. Returns
 * the model unchanged and no file if there are no such weights.
 */
export async function withDataFile(
  trained: Spliced,
  { document: original }: EditableModel,
  name: string,
): Promise<{ output: Spliced; data: DataFileContent | undefined }> {
  const was = [...original.graph.initializers.values()].filter(({ external }) => external !== undefined);
  if (was.length === 0) return { output: trained, data: undefined };
  const location = locationOfTrained(original, name);
  const document = await scan(toSource(await trained.bytes(), original.source.name));
  const index = indexGraphs(document);
  const edits: Edit[] = [];
  const parts: { readonly bytes: Uint8Array; readonly offset: number }[] = [];
  let offset = 0;
  for (const { name } of was) {
    const weight = weightOf(index, document.graph, name);
    if (weight === undefined || weight.tensor.external !== undefined) continue;
    const bytes = floatBytes(await readWeight(document, weight), weight.type);
    edits.push(await externalEdit(document, weight, { location, offset, length: bytes.length }));
    parts.push({ bytes, offset });
    offset = Math.ceil((offset + bytes.length) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  }
  const last = parts.at(-1);
  if (last === undefined) return { output: trained, data: undefined };
  const bytes = new Uint8Array(last.offset + last.bytes.length);
  for (const part of parts) bytes.set(part.bytes, part.offset);
  return { output: splice(document.source, edits), data: { location, bytes } };
}

/** Returns the name of the data file for trained weights. No file of the original has this name, whatever its case. */
export function locationOfTrained({ external }: OnnxDocument, name: string): string {
  const taken = new Set(external.map(({ tensor }) => tensor.external?.get('location')?.toLowerCase()));
  const isTaken = (location: string) => taken.has(location.toLowerCase());
  let location = `${name}.data`;
  for (let number = 1; isTaken(location); number++)
    location = `${name}.trained${number === 1 ? '' : `.${number}`}.data`;
  return location;
}
