// The matcher identifies activations by the function that their nodes compute; see load-matcher.ts.

import type { OnnxDocument } from '../onnx/document.js';
import { recogniseWritten } from './recognise-written.js';
import { readUniform } from './uniform.js';
import { findParts } from './written-sites.js';

/** Creates the matcher for a document, whose constants it reads. */
export async function createMatcher(document: OnnxDocument) {
  await readUniform(document);
  return { recogniseWritten, findParts };
}
