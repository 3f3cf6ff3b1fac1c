// The gradient of each operator (its vector-Jacobian product), written in ONNX operators.
import { convolutionGradients, lpPoolGradient, poolGradient, transposedGradients } from './gradients-conv.js';
import { ELEMENTWISE } from './gradients-elementwise.js';
import { MATRIX } from './gradients-matrix.js';
import { NORMS } from './gradients-norm.js';
import { REDUCTIONS } from './gradients-reduce.js';
import { SHAPES } from './gradients-shape.js';
import type { Gradients } from './rule.js';

/** The gradients of ONNX's operators; none flows through any other. */
export const GRADIENTS: Gradients = {
  ...ELEMENTWISE,
  ...MATRIX,
  ...NORMS,
  ...REDUCTIONS,
  ...SHAPES,
  Conv: convolutionGradients,
  ConvTranspose: transposedGradients,
  MaxPool: poolGradient,
  AveragePool: poolGradient,
  LpPool: lpPoolGradient,
  GlobalLpPool: lpPoolGradient,
};
