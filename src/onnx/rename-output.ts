import type { Node, OnnxDocument } from './document.js';
import { concat, messageField } from './encode.js';
import { createReader, walk } from './reader.js';

/** Field number of NodeProto's outputs; the schema is proto/onnx.proto3. */
const OUTPUT_FIELD = 2;

/** Returns a node's field with another name for its first output. All other bytes stay. */
export async function renamedOutput(
  { source }: OnnxDocument,
  { span }: Node,
  to: string,
): Promise<Uint8Array> {
  const reader = createReader(source);
  const { number, body, end } = await reader.field(span.start, span.end);
  const parts: Promise<Uint8Array>[] = [];
  let outputs = 0;
  await walk(reader, body, end, (field) => {
    const isFirst = field.number === OUTPUT_FIELD && ++outputs === 1;
    parts.push(
      isFirst
        ? Promise.resolve(messageField(OUTPUT_FIELD, new TextEncoder().encode(to)))
        : source.read(field.start, field.end - field.start),
    );
    return undefined;
  });
  return messageField(number, concat(await Promise.all(parts)));
}
