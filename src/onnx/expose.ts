import { onnx } from '../../proto/onnx.js';
import { OnnxMishError } from '../base/error.js';
import { analyse } from './analysis.js';
import type { Frame, OnnxDocument } from './document.js';
import { nodeField, outputField } from './encode.js';
import { type Edit, type Spliced, splice } from './splice.js';
import { floatType } from './types.js';

/** A model with tensors of its inside among its outputs. */
export interface Exposed {
  readonly model: Spliced;
  /** The output that has each tensor. */
  readonly outputs: ReadonlyMap<string, string>;
}

export interface ExposeOptions {
  /**
   * Give floats by way of a node that copies them (LeakyRelu with slope 1), rather than make them outputs themselves.
   * ONNX Runtime Web's WebGL mixes up outputs that nodes read as well, and gives the wrong one for those of a Conv that
   * it fuses.
   */
  readonly copies?: boolean | undefined;
}

/**
 * The model with tensors of its main graph as further outputs; those that are outputs already stay as they are, and
 * the rest of the file is the source's own. ONNX asks for the type of an output, ONNX Runtime infers it. Throws
 * `bad-data` for a name that no node of the main graph gives.
 */
export function exposeTensors(
  document: OnnxDocument,
  names: readonly string[],
  { copies = false }: ExposeOptions = {},
): Exposed {
  const { source, graph } = document;
  const types = copies ? analyse(document).types : undefined;
  const taken = new Set(document.scopes.flatMap(({ nodes }) => nodes.flatMap(({ outputs }) => outputs)));
  const made = new Set(graph.nodes.flatMap(({ outputs }) => outputs));
  const outputs = new Map(graph.outputs.map(({ name }) => [name, name]));
  const edits: Edit[] = [];
  for (const name of names) {
    if (outputs.has(name)) continue;
    const frame = graph.nodes[0]?.frame;
    if (name === '' || !made.has(name) || frame === undefined) {
      throw new OnnxMishError('bad-data', `no node of the graph gives a tensor '${name}'`, {
        where: source.name,
        fix: 'Name the output of a node in the main graph',
      });
    }
    const copied = types !== undefined && floatType(types(graph, name)) !== undefined;
    const output = copied ? fresh(`${name}/copy`, taken) : name;
    outputs.set(name, output);
    if (copied) edits.push(atEnd(frame, nodeField('graph', copy(name, output))));
    edits.push(atEnd(frame, outputField(output)));
  }
  return { model: splice(source, edits), outputs };
}

const atEnd = (frame: Frame, bytes: Uint8Array): Edit => ({ start: frame.end, end: frame.end, frame, bytes });

function fresh(name: string, taken: Set<string>): string {
  let free = name;
  for (let count = 1; taken.has(free); count++) free = `${name}_${count}`;
  taken.add(free);
  return free;
}

function copy(input: string, output: string): onnx.INodeProto {
  const slope = { name: 'alpha', type: onnx.AttributeProto.AttributeType.FLOAT, f: 1 };
  return { opType: 'LeakyRelu', input: [input], output: [output], name: output, attribute: [slope] };
}
