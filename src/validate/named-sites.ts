import { createNodeWriter, withInputs } from '../mish/node-writer.js';
import { recognise } from '../mish/recognise.js';
import { findSites } from '../mish/sites.js';
import { analyse } from '../onnx/analysis.js';
import { type Node, nodeLabel, type OnnxDocument, rewriteObstacle } from '../onnx/document.js';
import { type Spliced, splice } from '../onnx/splice.js';

/** The nodes of sites by their names in a profile. */
interface NamedSites {
  /** Label of the site of each node, by the node's name. */
  readonly sites: ReadonlyMap<string, string>;
  /** Copy of the model in which these names are unique; undefined if they are so in the model. */
  readonly edited: Spliced | undefined;
}

/** Finds the nodes of sites, and gives a name to each that has none or shares one: a profile has the names of nodes only. */
export async function namedSites(document: OnnxDocument): Promise<NamedSites> {
  const analysis = analyse(document);
  const found = await findSites(document, {}, analysis);
  const counts = new Map<string, number>();
  for (const { nodes } of document.scopes)
    for (const { name } of nodes) counts.set(name, (counts.get(name) ?? 0) + 1);
  const writer = createNodeWriter(document);
  const sites = new Map<string, string>();
  for (const { node, scope, inner = [] } of [...found.sites, ...(await recognise(document, analysis))])
    for (const one of [node, ...inner]) {
      const isUnique = one.name !== '' && counts.get(one.name) === 1;
      if (isUnique) sites.set(one.name, nodeLabel(node));
      if (isUnique || writer.isDone(one) || !isRewritable(one)) continue;
      const name = writer.fresh(`${one.opType}/${one.outputs[0]}`);
      writer.replace(scope, one, [{ ...withInputs(one, one.inputs), name }]);
      sites.set(name, nodeLabel(node));
    }
  const edits = writer.finish(undefined);
  return { sites, edited: edits.length === 0 ? undefined : splice(document.source, edits) };
}

/** Tells whether a node can be written again from its decoded fields: without a tensor or a graph inside. */
const isRewritable = (node: Node) =>
  rewriteObstacle(node) === undefined && node.attributes.every(({ tensor }) => tensor === undefined);
