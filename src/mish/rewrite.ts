import type { onnx } from '../../proto/onnx.js';
import { type Node, type OnnxDocument, opsetOf, type Scope } from '../onnx/document.js';
import { createNodeEncoder } from '../onnx/encode.js';
import { namer } from '../onnx/names.js';
import { type Edit, replacing } from '../onnx/splice.js';
import type { FloatType } from '../onnx/types.js';
import { constantNode, emit } from './emit.js';
import type { Channels, Form, Variant } from './forms.js';

/** A Mish or other activation to write: its place, input and form. */
export interface MishNode extends Variant {
  readonly scope: Scope;
  /** The node to replace; the last new node computes its output. */
  readonly node: Node;
  /** Name of the value to apply it to. */
  readonly x: string;
  readonly type: FloatType | undefined;
  /** The types of `x` if its function is called with several types. */
  readonly several?: readonly FloatType[] | undefined;
  readonly form: Form<string>;
}

/** Returns the activation of a target, which the names of its nodes contain. */
const partOf = ({ form }: Pick<MishNode, 'form'>): string => form.activation ?? 'mish';

/** The operators whose nested graphs see the names of enclosing graphs. */
const OPEN = /^(If|Loop|Scan)$/;

/** Returns the outermost scope whose names are visible here. Constants go there, so that each is written once. */
function constantsHome(scope: Scope): Scope {
  const { parent, owner } = scope;
  const isOpen = owner?.domain === '' && OPEN.test(owner.opType);
  return parent !== undefined && isOpen ? constantsHome(parent) : scope;
}

/**
 * Returns the edits that write an activation at these places and delete the `removed` nodes with the value_info of
 * their outputs. Constants become Constant nodes at the start of the graph or function: these work at every
 * IR version, are visible to nested graphs and, unlike initializers before IR 4, are not inputs.
 */
export function rewrite(
  document: OnnxDocument,
  targets: readonly MishNode[],
  removed: ReadonlyMap<Node, Scope> = new Map(),
): Edit[] {
  const leaving = new Set([...targets.map((target) => target.node), ...removed.keys()]);
  const [part = 'mish', ...others] = new Set(targets.map(partOf));
  // New names contain the activation, so that only such names can be taken.
  const fresh = namer(document, leaving, others.length > 0 ? '' : part);
  const constants = new Map<Scope, Map<string, { name: string; nodes: onnx.INodeProto[] }>>();
  const edits: Edit[] = [];
  const encode = createNodeEncoder();

  const constantIn =
    (home: Scope, part: string) =>
    (label: string, value: number, type: FloatType, channels?: Channels): string => {
      const made = constants.get(home) ?? new Map();
      constants.set(home, made);
      const key = `${label} ${type} ${value} ${channels?.count}`;
      const known = made.get(key);
      if (known !== undefined) return known.name;
      const name = fresh(`${part}/${type}/${label}${channels?.count ?? ''}`);
      const nodes = channels?.vector(name, value, type) ?? [constantNode(name, value, type)];
      made.set(key, { name, nodes });
      return name;
    };

  for (const { scope, node, x, type, several = [], form, beta, leak } of targets) {
    const y = node.outputs[0] ?? '';
    const nodes = emit({
      form,
      beta,
      leak,
      types: type === undefined ? several : [type],
      opset: opsetOf(scope),
      x,
      y,
      prefix: (node.name || y).replace(/\/mish$/, ''),
      fresh,
      constant: constantIn(constantsHome(scope), partOf({ form })),
    });
    edits.push(replacing(node, encode(scope.kind, nodes)));
  }
  const nothing = new Uint8Array(0);
  for (const [node, scope] of removed) {
    edits.push(replacing(node, nothing));
    for (const name of node.outputs) {
      const info = scope.values.get(name);
      if (info !== undefined) edits.push(replacing(info, nothing));
    }
  }
  for (const [home, made] of constants) {
    const [first] = home.nodes; // a scope that holds a site, at whatever depth, has a node
    if (first === undefined) continue;
    const bytes = encode(
      home.kind,
      [...made.values()].flatMap(({ nodes }) => nodes),
    );
    edits.push({ start: first.span.start, end: first.span.start, bytes, frame: first.frame });
  }
  return edits;
}
