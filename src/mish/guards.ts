import type { OnnxDocument } from '../onnx/document.js';
import { createConstantRanges, readRanges } from './constant-ranges.js';
import { findDomainGuards } from './domain-guard.js';
import { guardQuestion } from './use-guard.js';

/** The questions about the domains of operators. */
export interface Guards {
  readonly guard: typeof guardQuestion;
  readonly domain: typeof findDomainGuards;
}

/** Returns the questions with the ranges of the constants that the document holds. */
export async function loadGuards(document: OnnxDocument): Promise<Guards> {
  const read = await readRanges(document);
  return {
    guard: (index, operands, depth, lenient) =>
      guardQuestion(index, operands, depth, lenient, createConstantRanges(index, read)),
    domain: (document, analysis, sites, depth, layers) =>
      findDomainGuards(document, analysis, sites, depth, layers, read),
  };
}
