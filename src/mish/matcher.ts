// The matcher identifies activations by the function that their nodes compute; see load-matcher.ts.

export { recogniseWritten } from './recognise-written.js';
export { readUniform } from './uniform.js';
export { findParts } from './written-sites.js';
