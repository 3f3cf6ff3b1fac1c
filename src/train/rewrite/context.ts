import type { ComposedNode } from '../../onnx/compose.js';
import type { Node } from '../../onnx/document.js';
import type { Gradient } from '../autodiff/rule.js';
import { createTape, type Tape } from '../autodiff/tape.js';
import { toBlocked, toPlain } from './blocks.js';
import { standIn } from './kept-nodes.js';

/** The state of a rewriting of a forward pass. */
export interface RewriteContext {
  /** Elements of a block of channels; undefined without the blocked layout. */
  readonly block: number | undefined;
  /** The tape of the nodes that replace those of the model. */
  readonly forward: Tape;
  /** Nodes for differentiation, in the order of the forward pass. */
  readonly nodes: Node[];
  readonly rules: Map<Node, Gradient>;
  readonly replaced: Map<Node, readonly ComposedNode[]>;
  /** Tensors that stay in the plain layout. */
  readonly unblockable: ReadonlySet<string>;
  /** Tensors in the blocked layout. Their gradients are in it as well. */
  readonly blocked: Set<string>;
  dims(name: string): readonly number[];
  /** Returns the plain copy of a tensor, for nodes of the forward pass; the name itself if it is plain. */
  plain(name: string): string;
  /** Returns the blocked copy of a tensor, for nodes of the forward pass; the name itself if it is blocked. */
  inBlocks(name: string): string;
  /** Returns the plain copy of a tensor for nodes of the backward pass. */
  plainLater(tape: Tape, name: string): string;
  /** Replaces a node by what the forward tape has received since the last call, and by `nodes`. */
  put(place: Node, nodes: readonly ComposedNode[]): void;
  /** Returns what the forward tape has received since the last call of `put`. */
  rest(): readonly ComposedNode[];
  /** Adds a node that stands for nodes of the model, with its gradient. */
  stand(node: Node, inputs: readonly string[], outputs: readonly string[], gradient: Gradient): void;
}

/** Creates the state of a rewriting. */
export function createContext(
  given: Tape,
  block: number | undefined,
  unblockable: ReadonlySet<string>,
): RewriteContext {
  const aliases = new Map<string, string>();
  const dims = (name: string) => given.dims(aliases.get(name) ?? name);
  const forward = createTape(given.opset, dims, 'onnx-mish/forward/', given.constant);
  const copies = new Map<string, string>();
  let taken = 0;
  const context: RewriteContext = {
    block,
    unblockable,
    forward,
    nodes: [],
    rules: new Map(),
    replaced: new Map(),
    blocked: new Set(),
    dims,
    plain(name) {
      if (!context.blocked.has(name)) return name;
      return copy(name, (tape) => toPlain(tape, name, dims(name)[1] ?? 1), toBlocked);
    },
    inBlocks(name) {
      if (context.blocked.has(name)) return name;
      const made = copy(
        name,
        (tape) => toBlocked(tape, name),
        (tape, g) => toPlain(tape, g, dims(name)[1] ?? 1),
      );
      context.blocked.add(made);
      return made;
    },
    plainLater(tape, name) {
      if (!context.blocked.has(name)) return name;
      const known = copies.get(name);
      if (known !== undefined) return known;
      const made = toPlain(tape, name, dims(name)[1] ?? 1);
      copies.set(name, made);
      return made;
    },
    put(place, nodes) {
      const added = forward.nodes.slice(taken);
      taken = forward.nodes.length;
      context.replaced.set(place, [...(context.replaced.get(place) ?? []), ...added, ...nodes]);
    },
    rest: () => forward.nodes.slice(taken),
    stand(node, inputs, outputs, gradient) {
      const other = standIn(node, inputs, outputs);
      context.nodes.push(other);
      context.rules.set(other, gradient);
    },
  };
  /** Adds a copy in the other layout, once; its gradient goes back the other way. */
  const copy = (name: string, write: (tape: Tape) => string, back: (tape: Tape, g: string) => string) => {
    const known = copies.get(name);
    if (known !== undefined) return known;
    const made = write(forward);
    copies.set(name, made);
    aliases.set(made, name);
    context.stand(COPY, [name], [made], (tape, _, g) => [back(tape, g)]);
    return made;
  };
  return context;
}

/** A node for differentiation that copies a tensor. */
const COPY: Node = {
  opType: 'Identity',
  domain: '',
  overload: '',
  name: '',
  inputs: [],
  outputs: [],
  attributes: [],
  index: -1,
  span: { start: 0, end: 0 },
  lossyNames: false,
  frame: { start: 0, end: 0, lengthAt: 0, parent: undefined },
};
