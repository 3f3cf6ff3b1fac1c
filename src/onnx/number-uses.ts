// The nodes that read the numbers of a constant, as exporters write them.
import type { Scope } from './document.js';
import type { GraphIndex, Use } from './graph-index.js';

/** Operators that read the shape of a value alone, as exporters write them to make a bias of zeros. */
const OF_SHAPES: ReadonlySet<string> = new Set(['Shape', 'Size']);
/** Maximum number of Identity nodes on the way to a constant; exporters write one. */
const MAX_IDENTITIES = 16;

/**
 * Returns the uses of the numbers of a value: those behind Identity nodes, by which PyTorch's older exporter passes a weight to further
 * nodes, in place of the Identity, and none that read its shape alone.
 */
export function numberUses(index: GraphIndex, scope: Scope, name: string): readonly Use[] {
  const found: Use[] = [];
  let values = [{ scope, name }];
  for (let left = MAX_IDENTITIES; values.length > 0; left--) {
    const next: typeof values = [];
    for (const value of values) {
      for (const use of index.uses(value.scope, value.name)) {
        const operator = use.kind === 'input' && use.node.domain === '' ? use.node.opType : '';
        if (OF_SHAPES.has(operator)) continue;
        if (operator === 'Identity' && use.kind === 'input' && left > 0)
          next.push({ scope: use.scope, name: use.node.outputs[0] ?? '' });
        else found.push(use);
      }
    }
    values = next;
  }
  return found;
}

/** Returns the name of the value that a value is, through Identity nodes of the same scope. */
export function behindIdentity(index: GraphIndex, scope: Scope, name: string): string {
  let found = name;
  for (let left = MAX_IDENTITIES; left > 0; left--) {
    const node = index.producer(scope, found);
    if (node?.domain !== '' || node.opType !== 'Identity') break;
    found = node.inputs[0] ?? '';
  }
  return found;
}
