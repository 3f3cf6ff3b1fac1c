import { OnnxMishError } from '../base/error.js';
import { VERSION } from '../base/version.js';
import type { OnnxDocument } from '../onnx/document.js';
import { concat, metadataField } from '../onnx/encode.js';
import { scan } from '../onnx/scan.js';
import type { ModelInput } from '../onnx/source.js';
import { type Edit, type Spliced, splice } from '../onnx/splice.js';
import { applyPatch, inversePatch } from '../onnx/undo-record.js';

/** The metadata_props entry that says what was done, as JSON. */
const RECORD = 'onnx-mish';
/** The entry from which `undo` restores the bytes that were there before. */
const UNDO = 'onnx-mish.undo';

/** One thing done to a model. */
export interface Operation {
  readonly operation: 'swap' | 'retarget' | 'fold' | 'fix-relu' | 'calibrate';
  /** Version of onnx-mish that did it. */
  readonly version: string;
  readonly form: string;
  /** Sharpness; 1 is Mish. For `fold`, the one that is in the weights now. Absent where each site kept its own. */
  readonly beta?: number;
  /** How many of the sites became a mixture and not Mish itself; absent where none did. */
  readonly mixtures?: number;
  /** How many of the sites have their sharpness in the weights around them; absent where none has. */
  readonly folded?: number;
  /** Number of sites rewritten; for `calibrate`, of layers whose weights were solved anew. */
  readonly sites: number;
}

/** What onnx-mish has done to this model so far, oldest first. A record it cannot read counts as none. */
export function history(document: OnnxDocument): Operation[] {
  const entry = document.metadata.find(({ key }) => key === RECORD);
  if (entry === undefined) return [];
  try {
    const operations: unknown = JSON.parse(entry.value).operations;
    return Array.isArray(operations) ? operations.filter(isOperation) : [];
  } catch {
    return [];
  }
}

const OPERATIONS: readonly Operation['operation'][] = ['swap', 'retarget', 'fold', 'fix-relu', 'calibrate'];

function isOperation(value: unknown): value is Operation {
  if (typeof value !== 'object' || value === null) return false;
  const { operation, form, sites } = value as Partial<Operation>;
  return (
    OPERATIONS.includes(operation as Operation['operation']) &&
    typeof form === 'string' &&
    typeof sites === 'number' &&
    // Nothing in it is nested, or it could be nested too deeply to be written again.
    Object.values(value).every((one) => typeof one !== 'object')
  );
}

/**
 * Applies the edits, and appends the record of the operations and, if wanted, what undoes them all at once. An
 * operation on no site leaves no record; without any, the output is the source, byte for byte.
 */
export async function spliceWithRecord(
  document: OnnxDocument,
  edits: readonly Edit[],
  operations: readonly Omit<Operation, 'version'>[],
  undoable: boolean,
): Promise<Spliced> {
  const { source } = document;
  const done = operations.filter(({ sites }) => sites > 0);
  if (done.length === 0) return splice(source, []);
  const old: Edit[] = document.metadata
    .filter(({ key }) => key === RECORD || key === UNDO)
    .map(({ span }) => ({ ...span, bytes: new Uint8Array(0), frame: undefined }));
  const changes = [...edits, ...old];
  const all = [...history(document), ...done.map((operation) => ({ ...operation, version: VERSION }))];
  const entries = [metadataField(RECORD, JSON.stringify({ operations: all }))];
  if (undoable) entries.push(metadataField(UNDO, await inversePatch(splice(source, changes))));
  const end = source.size;
  return splice(source, [...changes, { start: end, end, bytes: concat(entries), frame: undefined }]);
}

/**
 * The model as it was before the last swap, retarget or fix, byte for byte.
 * Throws `cannot-undo` when there is no record or the file has been changed since.
 */
export async function undo(input: ModelInput): Promise<Spliced> {
  return undoDocument(await scan(input));
}

/** `undo` for a document that has been scanned already. */
export async function undoDocument(document: OnnxDocument): Promise<Spliced> {
  const { source, metadata } = document;
  const entry = metadata.find(({ key }) => key === UNDO);
  if (entry === undefined) {
    const calibrated = history(document).some(({ operation }) => operation === 'calibrate');
    throw new OnnxMishError('cannot-undo', 'the model has no record of what it was before', {
      where: source.name,
      fix: calibrated
        ? 'Its weights were calibrated, and the old ones are gone: go back to the original file'
        : 'It was never swapped, or swapped with --no-undo',
    });
  }
  return applyPatch(source, entry.value);
}
