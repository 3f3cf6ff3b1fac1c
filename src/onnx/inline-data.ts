// Moves weights from data files into the model.
import { OnnxMishError } from '../base/error.js';
import { plural } from '../base/plural.js';
import type { Frame, OnnxDocument, Span } from './document.js';
import { concat, varint } from './encode.js';
import { joinSources } from './join-sources.js';
import type { ByteSource } from './source.js';
import { lengthPrefixes, type Replacement, replace, type Spliced } from './splice.js';
import { rawBytes } from './tensor-bytes.js';
import { viewOf } from './view.js';
import { DATA, externalRange, fieldsWithoutData, type OpenData } from './weights.js';

/** Maximum size of a protobuf message, and so of a model file. */
const MAX_MODEL_BYTES = 2 ** 31 - 1;

/** A tensor whose data moves into the model. */
interface MovedTensor extends Span {
  readonly frame: Frame;
  /** The tensor's fields up to its data. */
  readonly bytes: Uint8Array;
  /** Position of the data in the file of external data. */
  readonly from: Span & { readonly data: ByteSource };
}

/**
 * Moves all external data into the model. Reads no data before the result is read. Throws `external-data` for data that
 * cannot be moved, and for a result of more than 2 GiB.
 */
export async function inlineData(document: OnnxDocument, openData: OpenData): Promise<Spliced> {
  const { source } = document;
  const moved: MovedTensor[] = [];
  for (const one of document.external) moved.push(await movedTensor(document, one, openData));
  moved.sort((a, b) => a.start - b.start);
  const joined = joinSources([source, ...moved.map(({ from }) => from.data)]);
  const prefixes = lengthPrefixes(moved, ({ bytes, from }) => bytes.length + from.end - from.start);
  const changes: (Replacement | MovedTensor)[] = [...prefixes, ...moved];
  const pieces: (Span | Uint8Array)[] = [];
  let size = 0;
  let at = 0;
  const add = (piece: Span | Uint8Array) => {
    const length = piece instanceof Uint8Array ? piece.length : piece.end - piece.start;
    if (length === 0) return;
    pieces.push(piece);
    size += length;
  };
  for (const change of changes.sort((a, b) => a.start - b.start || a.end - b.end)) {
    add({ start: at, end: change.start });
    add(change.bytes);
    if ('from' in change) {
      const { data, start, end } = change.from;
      const base = joined.offsetOf(data);
      add({ start: base + start, end: base + end });
    }
    at = change.end;
  }
  add({ start: at, end: source.size });
  if (size <= MAX_MODEL_BYTES) return replace(viewOf({ source: joined, size, pieces }), []);
  throw new OnnxMishError(
    'external-data',
    `the model would have ${plural(size, 'byte')} with its weights inside, and a model file holds at most 2 GiB`,
    { where: source.name, fix: 'Keep the weights in data files', option: { externalData: 'keep' } },
  );
}

async function movedTensor(
  { source }: OnnxDocument,
  { tensor, scope }: OnnxDocument['external'][number],
  openData: OpenData,
): Promise<MovedTensor> {
  const { name, frame, external = new Map() } = tensor;
  const bytes = rawBytes(tensor);
  if (frame === undefined || bytes === undefined) {
    throw new OnnxMishError('external-data', `the data of tensor '${name}' in ${scope} cannot be moved`, {
      where: source.name,
      fix: 'Keep the weights in data files',
      option: { externalData: 'keep' },
    });
  }
  const from = await externalRange(external, bytes, source.name, name, openData);
  const fields = await fieldsWithoutData(source, name, frame);
  const tag = varint(DATA.raw * 8 + 2);
  return { start: frame.start, end: frame.end, frame, bytes: concat([...fields, tag, varint(bytes)]), from };
}
