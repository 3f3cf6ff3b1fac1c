import type { OnnxDocument } from './document.js';
import { type ElementTypes, inferElementTypes } from './element-types.js';
import { type Calls, indexCalls } from './function-calls.js';
import { type GraphIndex, indexGraphs } from './graph-index.js';

/** Derived facts about a document. Each part takes a pass or more over the nodes, so build the analysis once. */
export interface Analysis {
  readonly index: GraphIndex;
  readonly calls: Calls;
  readonly types: ElementTypes;
}

export function analyse(document: OnnxDocument): Analysis {
  const index = indexGraphs(document);
  const calls = indexCalls(document);
  return { index, calls, types: inferElementTypes(document, index, calls) };
}
