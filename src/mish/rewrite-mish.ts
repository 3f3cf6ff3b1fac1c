import type { OnnxDocument } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import type { Edit } from '../onnx/splice.js';
import { boundsOf, inChannels, scalarTest } from './in-channels.js';
import type { Recognised } from './recognise.js';
import { type MishNode, rewrite } from './rewrite.js';
import { unused } from './unused.js';

export { boundsOf, scalarTest };

/**
 * Returns the edits that rewrite recognised Mish with another form or sharpness, and other activations as given, and delete
 * unused nodes.
 */
export async function rewriteMish(
  document: OnnxDocument,
  index: GraphIndex,
  sites: readonly Recognised[],
  change: Partial<Pick<Recognised, 'form' | 'beta'>>,
  others: readonly MishNode[] = [],
): Promise<Edit[]> {
  const removed = unused(sites, index);
  // A Mish that only deleted nodes read is deleted as well.
  const targets = sites.filter(({ node }) => !removed.has(node)).map((mish) => ({ ...mish, ...change }));
  return rewrite(document, await inChannels([...targets, ...others], index), removed);
}
