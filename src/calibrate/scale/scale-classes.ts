// A ReLU network computes the same function when the tensors between its linear layers are multiplied by positive
// scales and the layers take the ratios. Tensors that meet in an Add, or pass an activation or a pool, share a scale.

import { inputOf, type Site } from '../../mish/sites.js';
import type { Node, OnnxDocument } from '../../onnx/document.js';
import { nodeLabel } from '../../onnx/document.js';
import { namesInside } from '../../onnx/extract.js';
import type { GraphIndex } from '../../onnx/graph-index.js';
import { type Weight, weightOf } from '../../onnx/weights.js';
import { createPinnedSets, type TensorNumber } from './pinned-sets.js';
import { type Operand, type Visitor, visitNode } from './scale-rules.js';

/** A stored weight. Its factor is the scale of class `up` divided by that of class `down`. */
export interface ScaledWeight {
  readonly weight: Weight;
  readonly up: TensorNumber;
  readonly down: TensorNumber;
}

/** Classes of tensors that need one scale, and the weights between the classes. */
export interface ScaleClasses {
  /** Returns the class of a tensor of the main graph. */
  classOf(name: string): TensorNumber;
  /** Returns why a class must keep the scale 1; undefined for a class that is free. */
  pinned(scaleClass: TensorNumber): string | undefined;
  readonly weights: readonly ScaledWeight[];
}

/**
 * Finds the classes of the main graph. `sites` are its activations that are positively homogeneous; each counts as one
 * node. An operator that is not known to preserve a scale pins the scales of its tensors to 1. Linear in the nodes.
 */
export function findScaleClasses(
  document: OnnxDocument,
  index: GraphIndex,
  sites: readonly Site[],
): ScaleClasses {
  const { graph, irVersion } = document;
  const sets = createPinnedSets(index.count);
  const entries = new Map<Weight['tensor'], ScaledWeight>();
  const numberOf = (name: string) => index.number(graph, name);
  const bySite = new Map<Node, Site>();
  for (const site of sites) for (const node of [site.node, ...(site.inner ?? [])]) bySite.set(node, site);

  const visitor: Visitor = {
    index,
    graph,
    ...sets,
    operand(name): Operand {
      const weight = weightOf(index, graph, name);
      // Before IR 4 initializers had to be inputs as well.
      const isConstant = weight !== undefined && !(irVersion >= 4 && index.isInput(graph, name));
      return isConstant ? { weight } : { number: numberOf(name) };
    },
    tensor: numberOf,
    take(weight, up, down, why) {
      const before = entries.get(weight.tensor);
      if (before === undefined) entries.set(weight.tensor, { weight, up, down });
      else {
        sets.unite(before.up, up, why);
        sets.unite(before.down, down, why);
      }
    },
  };
  for (const name of [...graph.inputs.map((input) => input.name), ...graph.initializers.keys()]) {
    const { number } = visitor.operand(name);
    if (number !== undefined) sets.pin(number, `'${name}' is an input of the model or a constant`);
  }
  const inside = namesInside(document);
  const later: (() => void)[] = [];
  for (const node of graph.nodes) {
    for (const name of inside.get(node) ?? [])
      pinOperand(visitor, name, `a body of ${nodeLabel(node)} reads '${name}'`);
    const site = bySite.get(node);
    if (site !== undefined) visitSite(visitor, site, node, bySite);
    else for (const visit of visitNode(visitor, node)) later.push(visit);
  }
  // Products of two computed tensors: their factors may be pinned by nodes that follow.
  for (const visit of later) visit();
  for (const { name } of graph.outputs) pinOperand(visitor, name, `'${name}' is an output of the model`);
  return {
    classOf: (name) => sets.find(numberOf(name)),
    pinned: (scaleClass) => sets.reason(scaleClass),
    weights: [...entries.values()].map(({ weight, up, down }) => {
      return { weight, up: sets.find(up), down: sets.find(down) };
    }),
  };
}

function pinOperand(visitor: Visitor, name: string, why: string): void {
  const { weight, number } = visitor.operand(name);
  if (weight !== undefined) visitor.take(weight, undefined, undefined, why);
  else visitor.pin(number, why);
}

/** Gives an activation's input and output one class. Its constants and its other inputs keep their values. */
function visitSite(visitor: Visitor, site: Site, node: Node, bySite: ReadonlyMap<Node, Site>): void {
  const { index, graph } = visitor;
  const x = inputOf(site);
  const why = `${nodeLabel(site.node)} reads it`;
  const y = visitor.tensor(node.outputs[0] ?? '');
  const isStored = visitor.operand(x).weight !== undefined;
  for (const [slot, name] of node.inputs.entries()) {
    const maker = index.producer(graph, name);
    const isInside = maker !== undefined && bySite.get(maker) === site;
    // A PRelu may read its input as its slopes as well; of the nodes of one activation, each may read it anywhere.
    const isInput = name === x && !isStored && (slot === 0 || site.inner !== undefined);
    if (name !== '' && !isInside && !isInput) pinOperand(visitor, name, why);
  }
  if (node === site.node) {
    visitor.unite(isStored ? undefined : visitor.tensor(x), y, why);
    return;
  }
  for (const name of node.outputs) {
    const isInner = index
      .uses(graph, name)
      .every((use) => use.kind === 'input' && bySite.get(use.node) === site);
    if (!isInner)
      visitor.pin(
        visitor.tensor(x),
        `the inner value '${name}' of ${nodeLabel(site.node)} has other readers`,
      );
  }
}
