import type { OnnxDocument } from './document.js';
import { type ElementTypes, inferElementTypes } from './element-types.js';
import { type Calls, indexCalls } from './function-calls.js';
import { type GraphIndex, indexGraphs } from './graph-index.js';

/** What can be worked out about a document, each part in a pass or more over its nodes: build it once. */
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
