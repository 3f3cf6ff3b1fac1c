// Finds the constants of a model that PyTorch's exporters mark as parameters.
import { onnx } from '../../proto/onnx.js';
import type { OnnxDocument } from './document.js';
import { createReader } from './reader.js';

/** Names of a model's constants, by what the exporter says of them. It says nothing of most. */
export interface ExportedParameters {
  /** Constants that are parameters of the network. */
  readonly parameters: ReadonlySet<string>;
  /** Constants that are not: buffers, such as tables of coordinates, and constants of the code. */
  readonly others: ReadonlySet<string>;
}

/** Property of a value in which PyTorch's newer exporter says what it was. */
const KIND = 'pkg.torch.export.graph_signature.InputSpec.kind';
const OTHER_KINDS = new Set(['BUFFER', 'CONSTANT_TENSOR']);
/** Names that PyTorch's modules give to parameters and never to buffers. Both exporters keep them. */
const PARAMETER =
  /\.(weight|bias|gain|(gamma|beta|lambda|alpha)(_?\d)?|weight_[gv]|parametrizations\.\w+\.original[01]?|logit_scale|temperature|relative_position_bias_table|attention_biases|position_embeddings)$/;

/** Reads which initializers are parameters: by the properties of the newer exporter, else by their names. */
export async function exportedParameters({ graph, source }: OnnxDocument): Promise<ExportedParameters> {
  const reader = createReader(source);
  const [parameters, others] = [new Set<string>(), new Set<string>()];
  for (const [name, { dims }] of graph.initializers) {
    const value = graph.values.get(name);
    const kind = value && (await kindOf(reader, value.span));
    if (kind === 'PARAMETER' || (kind === undefined && PARAMETER.test(name) && !isMask(name, dims)))
      parameters.add(name);
    else if (kind !== undefined && OTHER_KINDS.has(kind)) others.add(name);
  }
  return { parameters, others };
}

/** Returns whether a tensor called `bias` is a matrix. GPT-2 and its descendants call the mask of their attention `bias`. */
const isMask = (name: string, dims: readonly number[]): boolean =>
  name.endsWith('.bias') && dims.filter((dim) => dim !== 1).length > 1;

/** Returns the kind that a value_info states. */
async function kindOf(
  reader: ReturnType<typeof createReader>,
  { start, end }: { readonly start: number; readonly end: number },
): Promise<string | undefined> {
  const { body } = await reader.field(start, end);
  const { metadataProps } = onnx.ValueInfoProto.decode(await reader.bytes(body, end));
  return metadataProps.find(({ key }) => key === KIND)?.value ?? undefined;
}
