import { graphlib, layout } from '@dagrejs/dagre';
import type { GraphEdge, GraphNode, SiteGraph } from '../protocol.js';

/** A node in its place; x and y are its upper left corner, in pixels. */
export interface PlacedNode {
  readonly node: GraphNode;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** An edge with the points of its line, and the middle of its text. */
export interface PlacedEdge {
  readonly edge: GraphEdge;
  readonly text: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
  readonly middle: { readonly x: number; readonly y: number };
}

export interface PlacedGraph {
  readonly nodes: readonly PlacedNode[];
  readonly edges: readonly PlacedEdge[];
  readonly width: number;
  readonly height: number;
}

/** Sizes in pixels: of a node, of a character, of a line of text. */
const MIN_WIDTH = 96;
const MAX_WIDTH = 240;
const NODE_HEIGHT = 48;
const CHARACTER = 7.6;
const PADDING = 28;
const TEXT_HEIGHT = 20;
const SMALL_CHARACTER = 6.6;

/** Places the nodes of a graph in layers from top to bottom, and routes the edges around them. */
export function placeGraph({ nodes, edges }: SiteGraph): PlacedGraph {
  const graph = new graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: 'TB', nodesep: 24, ranksep: 26, edgesep: 16, marginx: 12, marginy: 12 });
  for (const node of nodes) graph.setNode(String(node.id), { width: widthOf(node), height: NODE_HEIGHT });
  for (const [index, { from, to, tensor }] of edges.entries()) {
    const size = { width: SMALL_CHARACTER * shapeText(tensor).length, height: TEXT_HEIGHT, labelpos: 'c' };
    graph.setEdge(String(from), String(to), size, String(index));
  }
  layout(graph);
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  return {
    width,
    height,
    nodes: nodes.map((node) => {
      const box = graph.node(String(node.id)) as { x: number; y: number; width: number; height: number };
      return {
        node,
        width: box.width,
        height: box.height,
        x: box.x - box.width / 2,
        y: box.y - box.height / 2,
      };
    }),
    edges: edges.map((edge, index) => {
      const line = graph.edge(String(edge.from), String(edge.to), String(index)) as PlacedEdge & {
        x: number;
        y: number;
      };
      const { points, x, y } = line;
      return { edge, text: shapeText(edge.tensor), points, middle: { x, y } };
    }),
  };
}

function widthOf({ op, name }: GraphNode): number {
  const longest = Math.max(op.length, Math.min(name.length, MAX_NAME));
  return Math.min(MAX_WIDTH, Math.max(MIN_WIDTH, CHARACTER * longest + PADDING));
}

/** Maximum number of characters of a name in a node; the name itself is in the list of facts. */
export const MAX_NAME = 24;

/** Formats a tensor's shape as Netron does: `1 × 32 × 14 × 14`; its type if the shape is unknown. */
export function shapeText({ elemType, dims }: GraphEdge['tensor']): string {
  if (dims === undefined) return elemType === 'unknown' ? '' : elemType;
  return dims.length === 0 ? 'scalar' : dims.map((dim) => dim ?? '?').join(' × ');
}
