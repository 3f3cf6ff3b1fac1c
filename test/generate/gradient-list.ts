// ONNX's operators by whether gradients flow through them: `npm run gradients > docs/gradients.md`.
import { readFileSync } from 'node:fs';
import { onnx } from '../../proto/onnx.js';
import { GRADIENTS } from '../../src/train/autodiff/gradients.js';
import { casesIn } from '../conformance/cases.js';

const words = (text: string) => text.trim().split(/\s+/);

/** Operators of ONNX 1.23's default domain whose outputs have no gradient: integers, flags, text, constants and steps. */
export const WITHOUT_NATURE = words(`
  And ArgMax ArgMin Bernoulli BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow Ceil Constant
  ConstantOfShape ConvInteger DequantizeLinear DynamicQuantizeLinear Equal EyeLike Floor Greater GreaterOrEqual
  HammingWindow HannWindow Hardmax ImageDecoder IsInf IsNaN Less LessOrEqual MatMulInteger MelWeightMatrix Multinomial
  NonMaxSuppression NonZero Not OneHot OptionalHasElement Or QLinearConv QLinearMatMul QuantizeLinear RandomNormal
  RandomNormalLike RandomUniform RandomUniformLike Range RegexFullMatch Round SequenceEmpty SequenceLength Shape Sign
  Size StringConcat StringNormalizer StringSplit TfIdfVectorizer Unique Xor`);

/** Differentiable operators of ONNX 1.23's default domain that have no gradient rule. */
export const REFUSED = words(`
  CausalConvWithState ConcatFromSequence CumProd DFT DeformConv Det
  If LinearAttention Loop MaxRoiPool NegativeLogLikelihoodLoss Optional OptionalGetElement RoiAlign
  STFT Scan Scatter SequenceAt SequenceConstruct SequenceErase SequenceInsert SequenceMap
  SoftmaxCrossEntropyLoss SplitToSequence SwiGLU TensorScatter`);

export const COVERED = Object.keys(GRADIENTS).sort();

/** Operators of ONNX's backend tests, as Debian's libonnx-testdata 1.12 has them, that are differentiable. */
export function differentiableIn(operators: ReadonlySet<string>): { covered: string[]; refused: string[] } {
  const present = (names: readonly string[]) => names.filter((name) => operators.has(name));
  return { covered: present(COVERED), refused: present(REFUSED) };
}

/** Finds the operators of the default domain in all models below a folder. */
export function operatorsIn(folder: string): ReadonlySet<string> {
  const found = new Set<string>();
  const add = (nodes: readonly onnx.INodeProto[]) => {
    for (const { domain, opType, attribute } of nodes) {
      if (!domain || domain === 'ai.onnx') found.add(opType ?? '');
      for (const { g } of attribute ?? []) add(g?.node ?? []);
    }
  };
  for (const { path } of casesIn(folder)) {
    const { graph, functions } = onnx.ModelProto.decode(readFileSync(path));
    add(graph?.node ?? []);
    const local = new Set(functions.map(({ name }) => name));
    for (const { node } of functions) add((node ?? []).filter(({ opType }) => !local.has(opType)));
  }
  return found;
}

export const share = (covered: number, refused: number) =>
  `${covered} of ${covered + refused} (${Math.round((100 * covered) / (covered + refused))} %)`;

const listed = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(', ');

/** Writes the page. `tested` has the operators of the backend tests. */
export function gradientPage(tested: ReadonlySet<string>): string {
  const { covered, refused } = differentiableIn(tested);
  return `# Gradients by operator

Training computes gradients with ONNX operators: each operator of the model needs a rule in \`src/train/autodiff\`. This page is
made by \`npm run gradients\`, from the rules and from the models of ONNX's backend tests. A test holds it to the code.

- Differentiable operators of the backend tests with a rule: ${share(covered.length, refused.length)}.
- Differentiable operators of ONNX 1.23 with a rule: ${share(COVERED.length, REFUSED.length)}.

Where a gradient ends, training names the node and the weights that cannot be trained for it.

## With a rule

Each rule is held against PyTorch's float64 gradients or against differences.

${listed(COVERED)}

## At corners

\`test/train/autodiff/corners.test.ts\` holds the rules against PyTorch at corners of the curves, equal values and zeros.

- At a corner, \`Relu\` and its like take the side that PyTorch takes. \`Clip\` has the gradient 0 at its bounds, as PyTorch's \`relu6\` and
  \`hardtanh\`; \`torch.clamp\` passes the gradient on there.
- Equal values share the gradient in \`Max\`, \`Min\` and reductions, as in PyTorch's \`maximum\` and \`amax\`. \`MaxPool\` gives it to the first.
  \`GlobalMaxPool\` shares it; PyTorch's \`adaptive_max_pool2d\` gives it to one.
- A gradient of 0 stays 0 where the derivative is infinite or undefined, as behind a \`Where\` that hides \`Log\`, \`Sqrt\`, \`Div\` or \`Pow\` at 0.
  PyTorch gives NaN there.

## Refused

These operators are differentiable but have no rule. \`If\` and model-local functions are inlined where names, shapes and opsets allow it.

${listed(REFUSED)}

## Without a gradient by nature

Their outputs are integers, flags, text, constants or steps.

${listed(WITHOUT_NATURE)}
`;
}
