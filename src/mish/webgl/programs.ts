import { attribute, type Node } from '../../onnx/document.js';
import type { Dims, Loaded } from './loaded.js';

/** A shader program of a node, with the key under which WebGL caches it. */
export interface Program {
  readonly node: Node;
  /** Part of WebGL's key; nodes with different keys never share a program. */
  readonly key: string;
  /** Dimensions that must agree for nodes to share a program. */
  readonly dims: readonly (Dims | undefined)[];
  /** Property that the key should contain, but lacks. */
  readonly forgotten: string;
}

/** Groups the programs that WebGL may confuse with each other. Unknown dimensions count as equal. */
export function mixedUp<T extends Program>(programs: readonly T[]): T[][] {
  return groupBy(programs, ({ key }) => key)
    .flatMap((group) => {
      const known = knownTo(group);
      return groupBy(group, ({ dims }) => known.map(([slot, axis]) => dims[slot]?.[axis]).join());
    })
    .filter((alike) => new Set(alike.map(({ forgotten }) => forgotten)).size > 1);
}

/** Returns the axes (or the rank) whose values are numbers for all programs of a group. */
function knownTo([first, ...others]: readonly Program[]): [slot: number, axis: number | 'length'][] {
  const isKnown = (dims: Dims | undefined, axis: number | 'length') => typeof dims?.[axis] === 'number';
  return (first?.dims ?? []).flatMap((dims, slot) =>
    (['length', ...(dims ?? []).keys()] as const)
      .filter((axis) => isKnown(dims, axis) && others.every((other) => isKnown(other.dims[slot], axis)))
      .map((axis): [number, number | 'length'] => [slot, axis]),
  );
}

/** Returns the programs of a group that WebGL may replace with an earlier, wrong program; each with the earlier program. */
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

/** Returns whether a node is a Conv without groups; grouped Convs have other programs. */
function isPlain(node: Node): boolean {
  return node.opType === 'Conv' && node.domain === '' && (attribute(node, 'group')?.i ?? 1) === 1;
}

/** Returns the second program of each Conv; its key lacks the fused activation. */
export function dotProducts(loaded: Loaded): Program[] {
  return loaded.graph.nodes.filter(isPlain).flatMap((node) => {
    const [, w = '', bias = ''] = node.inputs;
    const weights = loaded.dims(w);
    if (weights?.length !== 4) return [];
    const into = loaded.fused.get(node);
    // A texel holds four weights, and the key contains the number of texels.
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

/** Returns the first program of each Conv without kernel_shape; its key lacks the kernel size. */
export function programsOfUnstatedKernels(loaded: Loaded): Program[] {
  return loaded.graph.nodes.filter(isPlain).flatMap((node) => {
    const [x = '', w = ''] = node.inputs;
    if (attribute(node, 'kernel_shape') !== undefined) return [];
    const ints = (name: string, otherwise: string) => attribute(node, name)?.ints?.join() ?? otherwise;
    const window = [ints('dilations', '1,1'), ints('pads', '0,0,0,0'), ints('strides', '1,1')];
    const key = [...window, attribute(node, 'auto_pad')?.s, loaded.fused.get(node)?.opType].join(' ');
    return { node, key, dims: [loaded.dims(x)], forgotten: String(loaded.dims(w)?.slice(2)) };
  });
}
