// The gradient rule of each operator (its vector-Jacobian product), in ONNX operators.
import { ATTENTION } from './gradients-attention.js';
import { col2ImGradient, convolutionGradients, transposedGradients } from './gradients-conv.js';
import { ELEMENTWISE } from './gradients-elementwise.js';
import { MATRIX } from './gradients-matrix.js';
import { NORMS } from './gradients-norm.js';
import { lpPoolGradient, poolGradient } from './gradients-pool.js';
import { RECURRENT } from './gradients-recurrent.js';
import { REDUCTIONS } from './gradients-reduce.js';
import { SAMPLING } from './gradients-sample.js';
import { SELECTIONS } from './gradients-select.js';
import { SHAPES } from './gradients-shape.js';
import type { Gradients } from './rule.js';

/** Gradient rules by operator. No gradient flows through other operators. */
export const GRADIENTS: Gradients = {
  ...ATTENTION,
  ...ELEMENTWISE,
  ...MATRIX,
  ...NORMS,
  ...RECURRENT,
  ...REDUCTIONS,
  ...SAMPLING,
  ...SELECTIONS,
  ...SHAPES,
  Conv: convolutionGradients,
  ConvTranspose: transposedGradients,
  Col2Im: col2ImGradient,
  MaxPool: poolGradient,
  AveragePool: poolGradient,
  LpPool: lpPoolGradient,
  GlobalLpPool: lpPoolGradient,
};
