import { attribute, type Node } from '../../onnx/document.js';
import type { Dims, Loaded } from './loaded.js';

/** What tells apart programs that WebGL takes for one, and which nodes can have the same one. */
export interface Program {
  readonly node: Node;
  /** Nodes with different ones never share a program. */
  readonly key: string;
  /** Dimensions that have to agree, where they are known. */
  readonly dims: readonly (Dims | undefined)[];
  /** What the program should depend on, and does not. */
  readonly forgotten: string;
}

/**
 * The programs of which WebGL may take one for another, in groups. Where dimensions are not known, nodes that may have the same
 * ones are taken to have them.
 */
export function mixedUp<T extends Program>(programs: readonly T[]): T[][] {
  return groupBy(programs, ({ key }) => key)
    .flatMap((group) => {
      const known = knownTo(group);
      return groupBy(group, ({ dims }) => known.map(([slot, axis]) => dims[slot]?.[axis]).join());
    })
    .filter((alike) => new Set(alike.map(({ forgotten }) => forgotten)).size > 1);
}

/** The dimensions that are numbers for all programs of a group; or how many there are. */
function knownTo([first, ...others]: readonly Program[]): [slot: number, axis: number | 'length'][] {
  const isKnown = (dims: Dims | undefined, axis: number | 'length') => typeof dims?.[axis] === 'number';
  return (first?.dims ?? []).flatMap((dims, slot) =>
    (['length', ...(dims ?? []).keys()] as const)
      .filter((axis) => isKnown(dims, axis) && others.every((other) => isKnown(other.dims[slot], axis)))
      .map((axis): [number, number | 'length'] => [slot, axis]),
  );
}

/** The programs of a group that come too late, each with the first that it may be taken for. */
export function tooLate<T extends Program>(group: readonly T[]): [late: T, first: T][] {
  const [first] = group;
  const other = group.findIndex(({ forgotten }) => forgotten !== first?.forgotten);
  return group.slice(other).flatMap((late): [T, T][] => {
    const taken = late.forgotten === first?.forgotten ? group[other] : first;
    return taken === undefined ? [] : [[late, taken]];
  });
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return [...groups.values()];
}

/** The convolutions that have no groups, which have programs of their own. */
function isPlain(node: Node): boolean {
  return node.opType === 'Conv' && node.domain === '' && (attribute(node, 'group')?.i ?? 1) === 1;
}

/** The second program of each Conv, whose key lacks the activation. */
export function dotProducts(loaded: Loaded): Program[] {
  return loaded.graph.nodes.filter(isPlain).flatMap((node) => {
    const [, w = '', bias = ''] = node.inputs;
    const weights = loaded.dims(w);
    if (weights?.length !== 4) return [];
    const into = loaded.fused.get(node);
    // Four elements of the weights go into one of the texture, and only its size counts.
    const packed = Math.ceil(
      weights.slice(1).reduce<number>((product, size) => product * Number(size), 1) / 4,
    );
    const [batch, , ...image] = loaded.dims(node.outputs[0] ?? '') ?? [];
    return {
      node,
      key: `${weights[0]} ${packed} ${bias !== ''}`,
      dims: [batch === undefined ? undefined : [batch, ...image]],
      forgotten: into === undefined ? '' : activationText(into, loaded),
    };
  });
}

function activationText(node: Node, { constant }: Loaded): string {
  if (node.opType !== 'Clip') return node.opType;
  const [, low, high] = node.inputs;
  const bounds =
    low === undefined
      ? [attribute(node, 'min')?.f, attribute(node, 'max')?.f]
      : [constant(low)?.scalar, constant(high ?? '')?.scalar];
  return `Clip ${bounds}`;
}

/** The first program of each Conv without kernel_shape, whose key lacks the size that comes from the weights. */
export function columns(loaded: Loaded): Program[] {
  return loaded.graph.nodes.filter(isPlain).flatMap((node) => {
    const [x = '', w = ''] = node.inputs;
    if (attribute(node, 'kernel_shape') !== undefined) return [];
    const ints = (name: string, otherwise: string) => attribute(node, name)?.ints?.join() ?? otherwise;
    const window = [ints('dilations', '1,1'), ints('pads', '0,0,0,0'), ints('strides', '1,1')];
    const key = [...window, attribute(node, 'auto_pad')?.s, loaded.fused.get(node)?.opType].join(' ');
    return { node, key, dims: [loaded.dims(x)], forgotten: String(loaded.dims(w)?.slice(2)) };
  });
}
