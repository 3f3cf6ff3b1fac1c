import type { OnnxDocument } from './document.js';
import { outputField } from './encode.js';
import { OnnxMishError } from './error.js';
import { type Spliced, splice } from './splice.js';

/**
 * The model with tensors of its main graph as further outputs, by name; those that are outputs already stay as they
 * are, and the rest of the file is the source's own. ONNX asks for the type of an output, ONNX Runtime infers it.
 * Throws `bad-data` for a name that no node of the main graph gives.
 */
export function exposeTensors(document: OnnxDocument, names: readonly string[]): Spliced {
  const { source, graph } = document;
  const made = new Set(graph.nodes.flatMap(({ outputs }) => outputs));
  const present = new Set(graph.outputs.map(({ name }) => name));
  const wanted = [...new Set(names)].filter((name) => !present.has(name));
  const unknown = wanted.find((name) => name === '' || !made.has(name));
  if (unknown !== undefined) {
    throw new OnnxMishError('bad-data', `no node of the graph gives a tensor '${unknown}'`, {
      where: source.name,
      fix: 'Name the output of a node in the main graph',
    });
  }
  const frame = graph.nodes[0]?.frame;
  if (frame === undefined) return splice(source, []);
  const at = { start: frame.end, end: frame.end, frame };
  return splice(
    source,
    wanted.map((name) => ({ ...at, bytes: outputField(name) })),
  );
}
