import { OnnxMishError } from '../base/error.js';
import { VERSION } from '../base/version.js';
import type { OnnxDocument } from '../onnx/document.js';
import { concat, metadataField } from '../onnx/encode.js';
import { scan } from '../onnx/scan.js';
import { readMetadata } from '../onnx/scan-metadata.js';
import { type ModelInput, openInput } from '../onnx/source.js';
import { type Edit, type Spliced, splice } from '../onnx/splice.js';
import { DIGEST_FROM_END, inversePatch } from '../onnx/undo-record.js';
import type { Int8Way } from './int8-ways.js';
import type { restore, Undone } from './restore.js';

/** Key of the metadata_props entry that lists the operations, as JSON. */
const RECORD = 'onnx-mish';
/** Key of the entry with the undo record. */
const UNDO = 'onnx-mish.undo';

/** An operation of onnx-mish on a model. */
export interface Operation {
  readonly operation: 'swap' | 'retarget' | 'fold' | 'fix' | 'fix-relu' | 'calibrate' | 'finetune' | 'opset';
  /** Version of onnx-mish that ran the operation. */
  readonly version: string;
  readonly form: string;
  /** The activation that a swap wrote; absent for Mish. */
  readonly to?: string;
  /** Sharpness; 1 is Mish. For `fold`, the sharpness that the weights took. Absent where sites differ. */
  readonly beta?: number;
  /** Largest difference from Mish of a site in an approximate form; absent for exact forms. */
  readonly bound?: number;
  /** How sites between quantised tensors were swapped; absent without such sites. */
  readonly int8?: Int8Way;
  /** Number of sites that became a mixture; absent for 0. */
  readonly mixtures?: number;
  /** Number of sites whose sharpness moved into the weights around them; absent for 0. */
  readonly folded?: number;
  /**
   * Number of rewritten sites; for `opset`, of nodes and imports; for `calibrate`, of layers with new weights; for `finetune`,
   * of trained weights.
   */
  readonly sites: number;
}

/** Returns the operations of onnx-mish on this model, oldest first. An unreadable record counts as none. */
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

const OPERATIONS: readonly Operation['operation'][] = [
  'swap',
  'retarget',
  'fold',
  'fix',
  'fix-relu',
  'calibrate',
  'finetune',
  'opset',
];

function isOperation(value: unknown): value is Operation {
  if (typeof value !== 'object' || value === null) return false;
  const { operation, form, sites } = value as Partial<Operation>;
  return (
    OPERATIONS.includes(operation as Operation['operation']) &&
    typeof form === 'string' &&
    typeof sites === 'number' &&
    // Values are flat: a deeply nested value could not be serialised again.
    Object.values(value).every((one) => typeof one !== 'object')
  );
}

/**
 * Applies the edits and appends the list of operations and, unless unwanted, the undo record for all of them. An operation
 * without sites is not listed. Without any operation the output equals the source, byte for byte.
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
  if (undoable) {
    const record = await inversePatch(splice(source, changes), document.structure);
    entries.push(metadataField(UNDO, record));
  }
  const end = source.size;
  const output = splice(source, [...changes, { start: end, end, bytes: concat(entries), frame: undefined }]);
  return undoable ? { ...output, seal: output.size - DIGEST_FROM_END } : output;
}

export type { Undone };

/** Report of an undo. */
export interface UndoReport extends Pick<Undone, 'proof' | 'notes'> {
  readonly bytes: number;
}

export function undoReport({ size, proof, notes }: Undone): UndoReport {
  return { bytes: size, proof, notes };
}

/**
 * Restores the model as it was before the last operation of onnx-mish, byte for byte.
 * Throws `cannot-undo` if the model has no undo record, or has changed since the record was written.
 *
 * @example
 * import { swap, undo } from 'onnx-mish';
 *
 * const { output } = await swap(bytes);
 * const original = await (await undo(await output.bytes())).bytes();
 */
export async function undo(input: ModelInput): Promise<Undone> {
  const source = await openInput(input);
  const metadata = await readMetadata(source).catch(() => []);
  const record = recordIn(metadata);
  return record === undefined ? undoDocument(await scan(source)) : restored(source, record);
}

/** Does what `undo` does, for a scanned document. */
export async function undoDocument(document: OnnxDocument): Promise<Undone> {
  const { source, metadata } = document;
  const record = recordIn(metadata);
  if (record === undefined) {
    const changed = history(document).some(
      ({ operation }) => operation === 'calibrate' || operation === 'finetune',
    );
    throw new OnnxMishError('cannot-undo', 'the model has no undo record', {
      where: source.name,
      fix: changed
        ? 'Its weights were calibrated or trained, and the old ones are gone: go back to the original file'
        : 'It was never swapped, or swapped without an undo record',
      option: changed ? undefined : { undo: false },
    });
  }
  return restored(source, record, document);
}

/** Loads `restore` on demand, for smaller pages. */
const restored = async (...given: Parameters<typeof restore>): Promise<Undone> =>
  (await import('./restore.js')).restore(...given);

const recordIn = (metadata: OnnxDocument['metadata']) => metadata.find(({ key }) => key === UNDO)?.value;
