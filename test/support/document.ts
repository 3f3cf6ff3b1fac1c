import type { OnnxDocument, Scope } from '../../src/onnx/document.js';
import type { ByteSource } from '../../src/onnx/source.js';

/** A source like a file: it counts what is read, and never gives more than was asked for. */
export function fileLike(bytes: Uint8Array): ByteSource & { total: () => number; largest: () => number } {
  let total = 0;
  let largest = 0;
  return {
    name: 'file',
    size: bytes.length,
    total: () => total,
    largest: () => largest,
    read: async (offset, length) => {
      total += length;
      largest = Math.max(largest, length);
      if (offset + length > bytes.length) throw new Error('read past the end');
      return bytes.slice(offset, offset + length);
    },
  };
}

/** What the scanner found, without the source and without cycles. */
export function summary({ scopes, metadata, irVersion, producer, external }: OnnxDocument) {
  const plain = (scope: Scope) => ({
    path: scope.path,
    kind: scope.kind,
    parent: scope.parent?.path,
    owner: scope.owner?.span,
    inputs: scope.inputs,
    outputs: scope.outputs,
    initializers: [...scope.initializers],
    values: [...scope.values],
    opsets: [...scope.opsets],
    nodes: scope.nodes.map(({ attributes, frame, ...rest }) => ({
      ...rest,
      frame: [frame.lengthAt, frame.start, frame.end],
      attributes: attributes.map(({ graphs, ...attribute }) => ({
        ...attribute,
        graphs: graphs?.map(({ path }) => path),
      })),
    })),
  });
  return { scopes: scopes.map(plain), metadata, irVersion, producer, external };
}
