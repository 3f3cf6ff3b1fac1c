// What finds activations by what they compute; see load-matcher.ts.

export { recogniseWritten } from './recognise-written.js';
export { findParts } from './written-sites.js';
