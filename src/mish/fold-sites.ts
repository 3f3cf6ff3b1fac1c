import { plural } from '../base/plural.js';
import type { Analysis } from '../onnx/analysis.js';
import type { OnnxDocument } from '../onnx/document.js';
import type { OpenData } from '../onnx/weights.js';
import { type Foldable, type Folding, planFolds } from './fold-plan.js';
import { recognise } from './recognise.js';
import type { FoldedSite, FoldReport } from './results.js';
import type { MishNode } from './rewrite.js';
import { type Site, siteLabel } from './sites.js';

type Sharp = Site & MishNode;

/** Moves the sharpness of sites into the weights around them where possible; see `foldSharpness`. */
export async function foldSites(
  document: OnnxDocument,
  analysis: Analysis,
  sites: readonly Sharp[],
  {
    openData,
    undo = true,
  }: { readonly openData?: OpenData | undefined; readonly undo?: boolean | undefined },
) {
  const mish = (await recognise(document, analysis)).flatMap(({ node, inner }) => [node, ...inner]);
  const blocked = new Set([...sites.flatMap(({ node, inner = [] }) => [node, ...inner]), ...mish]);
  const sharp = sites
    .filter(({ beta }) => beta !== 1)
    .map((site) => ({
      ...site,
      nodes: new Set([site.node, ...(site.inner ?? [])]),
      y: site.node.outputs[0] ?? '',
    }));
  const folding = await planFolds({ document, index: analysis.index, blocked }, sharp, openData);
  return { folding, fold: foldReport(folding), oldWeights: undo ? noteOnOldWeights(folding) : [] };
}

/** Returns the report of a folding. */
export function foldReport<T extends Foldable & Pick<Site, 'node'>>({
  folded,
  kept,
  edits,
}: Folding<T>): FoldReport {
  const reportOf = ({ node, scope, beta }: T): FoldedSite => {
    const [label, output] = [siteLabel({ node, scope }), node.outputs[0] ?? ''];
    return { scope: scope.path, label, output, beta };
  };
  return {
    folded: [...folded].map(reportOf),
    kept: [...kept].map(([site, why]) => ({ ...reportOf(site), why })),
    weights: edits.length,
  };
}

/** Returns the note on the size of the undo record if weights change. */
function noteOnOldWeights({ edits }: Pick<Folding<Sharp & Foldable>, 'edits'>): string[] {
  const bytes = edits.reduce((sum, { start, end }) => sum + end - start, 0);
  if (bytes === 0) return [];
  return [`undo keeps the old weights, about ${plural(Math.ceil((4 / 3) * bytes), 'byte')}`];
}
