import { onnx } from '../../proto/onnx.js';
import { analyse } from './analysis.js';
import type { Frame, OnnxDocument } from './document.js';
import { nodeField, outputField } from './encode.js';
import { notAnOutput } from './extract.js';
import { namer } from './names.js';
import { type Edit, type Spliced, splice } from './splice.js';
import { floatType } from './types.js';

/** A model with inner tensors as further outputs. */
export interface Exposed {
  readonly model: Spliced;
  /** Output name by tensor name. */
  readonly outputs: ReadonlyMap<string, string>;
}

export interface ExposeOptions {
  /**
   * Output a copy of each float tensor (a LeakyRelu with slope 1) instead of the tensor. ONNX Runtime Web's WebGL confuses
   * outputs that nodes also read, and returns a wrong tensor for a fused Conv.
   */
  readonly copies?: boolean | undefined;
  /** Inner tensors to output the shape of, as 64-bit integers, instead of the tensor; none by default. */
  readonly shapesOf?: ReadonlySet<string> | undefined;
}

/**
 * Adds tensors of the main graph to the model's outputs. One that is an output stays as it is. Every other byte stays. The new outputs
 * have no type, which ONNX requires but ONNX Runtime infers. Throws `bad-data` for a name that no node of the main
 * graph outputs.
 */
export function exposeTensors(
  document: OnnxDocument,
  names: readonly string[],
  { copies = false, shapesOf }: ExposeOptions = {},
): Exposed {
  const { source, graph } = document;
  const types = copies ? analyse(document).types : undefined;
  const fresh = copies || shapesOf !== undefined ? namer(document, undefined, '/') : (name: string) => name;
  const made = new Set(graph.nodes.flatMap(({ outputs }) => outputs));
  const outputs = new Map(graph.outputs.map(({ name }) => [name, name]));
  const edits: Edit[] = [];
  for (const name of names) {
    if (outputs.has(name)) continue;
    const frame = graph.nodes[0]?.frame;
    if (name === '' || !made.has(name) || frame === undefined) throw notAnOutput(name, document);
    const copied = types !== undefined && floatType(types(graph, name)) !== undefined;
    const shaped = shapesOf?.has(name) === true;
    const output = shaped || copied ? fresh(`${name}/${shaped ? 'shape' : 'copy'}`) : name;
    outputs.set(name, output);
    if (shaped)
      edits.push(atEnd(frame, nodeField('graph', { opType: 'Shape', input: [name], output: [output] })));
    else if (copied) edits.push(atEnd(frame, nodeField('graph', copy(name, output))));
    edits.push(atEnd(frame, outputField(output)));
  }
  return { model: splice(source, edits), outputs };
}

const atEnd = (frame: Frame, bytes: Uint8Array): Edit => ({ start: frame.end, end: frame.end, frame, bytes });

function copy(input: string, output: string): onnx.INodeProto {
  const slope = { name: 'alpha', type: onnx.AttributeProto.AttributeType.FLOAT, f: 1 };
  return { opType: 'LeakyRelu', input: [input], output: [output], name: output, attribute: [slope] };
}
