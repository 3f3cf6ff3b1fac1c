import { type Analysis, analyse } from './analysis.js';
import type { Node, OnnxDocument } from './document.js';
import { outputField } from './encode.js';
import { namesInside, neededNodes } from './extract.js';
import { type Edit, replacing, type Spliced, splice } from './splice.js';

/** The outputs of a main graph as tensors. */
export interface TensorOutputs {
  /** The tensors that are compared, in the order of the outputs. */
  readonly names: readonly string[];
  /** Each output that is a sequence, a map or an optional, with the tensors that replace it. */
  readonly containers: readonly { readonly output: string; readonly tensors: readonly string[] }[];
}

/** The inputs that an operator puts unchanged into its container; `undefined` stands for all. */
const CONTENTS: Readonly<Record<string, readonly number[] | undefined>> = {
  'ai.onnx.ml ZipMap': [0],
  ' SequenceConstruct': undefined,
  ' SequenceInsert': [0, 1],
  ' SequenceErase': [0],
  ' SplitToSequence': [0],
  ' Optional': [0],
  ' Identity': [0],
};

/**
 * Finds tensors that represent the outputs of the main graph. A tensor represents itself. A container is represented by the
 * tensors put into it, or by the inputs of the loop, branch or function that outputs it. `containers` names outputs that
 * are containers although the file does not declare this.
 */
export function tensorOutputs(document: OnnxDocument, containers: readonly string[] = []): TensorOutputs {
  const { graph } = document;
  const isContainer = new Set([
    ...containers,
    ...graph.outputs.flatMap((one) => (one.containerType === undefined ? [] : one.name)),
  ]);
  if (isContainer.size === 0) return { names: graph.outputs.map(({ name }) => name), containers: [] };
  const find = contentFinder(document);
  const found = graph.outputs.flatMap(({ name: output }) =>
    isContainer.has(output) ? [{ output, tensors: find(output) }] : [],
  );
  const names = graph.outputs.flatMap(
    ({ name }) => found.find(({ output }) => output === name)?.tensors ?? [name],
  );
  return { names: [...new Set(names)], containers: found };
}

function contentFinder(document: OnnxDocument): (container: string) => string[] {
  const { graph } = document;
  const { index, types }: Analysis = analyse(document);
  const inside = namesInside(document);
  const isTensor = (name: string) =>
    index.producer(graph, name) !== undefined && types(graph, name) !== undefined;
  return (container) => {
    const tensors = new Set<string>();
    const seen = new Set<string>();
    const open = [container];
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      const node = index.producer(graph, name);
      if (node === undefined || seen.has(name)) continue;
      seen.add(name);
      const contents = contentsOf(node);
      if (contents !== undefined) for (const one of contents.toReversed()) open.push(one);
      else if (name !== container && isTensor(name)) tensors.add(name);
      else
        for (const read of [...node.inputs, ...(inside.get(node) ?? [])])
          if (isTensor(read)) tensors.add(read);
    }
    return [...tensors];
  };
}

function contentsOf({ domain, opType, inputs }: Node): string[] | undefined {
  const key = `${domain} ${opType}`;
  if (!Object.hasOwn(CONTENTS, key)) return undefined;
  return CONTENTS[key]?.flatMap((slot) => inputs[slot] ?? []) ?? [...inputs];
}

/**
 * Replaces container outputs by tensors and deletes the nodes that only containers need; undefined if every output is a
 * tensor. An output without such tensors is deleted; if no output remains, an earlier tensor becomes the output.
 */
export function withTensorOutputs(
  document: OnnxDocument,
  containers?: readonly string[],
): (TensorOutputs & { readonly model: Spliced; readonly notes: string[] }) | undefined {
  const { graph, source } = document;
  const outputs = tensorOutputs(document, containers);
  const frame = graph.nodes[0]?.frame;
  if (outputs.containers.length === 0 || frame === undefined) return undefined;
  const names = outputs.names.length > 0 ? outputs.names : lastTensor(document);
  if (names.length === 0) return undefined;
  const replaced = new Set(outputs.containers.map(({ output }) => output));
  const needed = neededNodes(document, names);
  const nothing = new Uint8Array(0);
  const edits: Edit[] = graph.nodes.flatMap((node) => (needed.has(node) ? [] : [replacing(node, nothing)]));
  const there = new Set<string>();
  for (const { name, span, frame } of graph.outputs) {
    if (!replaced.has(name)) there.add(name);
    else if (span !== undefined) edits.push(replacing({ span, frame }, nothing));
  }
  for (const name of names) {
    if (!there.has(name)) edits.push({ start: frame.end, end: frame.end, frame, bytes: outputField(name) });
  }
  const notes = outputs.containers.map(({ output, tensors }) =>
    tensors.length === 0
      ? `output '${output}' is not a tensor and contains no tensor of the graph: it is not compared`
      : `output '${output}' is not a tensor: compared in its place ${tensors.length === 1 ? 'is' : 'are'} ${tensors.map((name) => `'${name}'`).join(', ')}, of which it is made`,
  );
  return { ...outputs, names, model: splice(source, edits), notes };
}

/** Returns the last tensor that a node outputs, if any. */
function lastTensor(document: OnnxDocument): string[] {
  const { graph } = document;
  const { types } = analyse(document);
  for (const { outputs } of graph.nodes.toReversed()) {
    const name = outputs.find((output) => output !== '' && types(graph, output) !== undefined);
    if (name !== undefined) return [name];
  }
  return [];
}
