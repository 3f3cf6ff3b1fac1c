// Reference functions in float64, without overflow or cancellation for any real number.
// Mish: D. Misra, "Mish: A Self Regularized Non-Monotonic Activation Function", 2019, arXiv:1908.08681.

/** Computes ln(1 + e^x). */
export function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/** Computes 1 / (1 + e^-x). */
export function sigmoid(x: number): number {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const e = Math.exp(x);
  return e / (1 + e);
}

/** Computes x · sigmoid(x), also called SiLU. At -Infinity returns the limit, -0. */
export function swish(x: number): number {
  if (x === Number.NEGATIVE_INFINITY) return -0;
  return x < SUBNORMAL ? timesExp(x, x) : x * sigmoid(x);
}

/** Computes max(0, x). */
export function relu(x: number): number {
  return x > 0 || Number.isNaN(x) ? x : 0;
}

/** Returns x where x ≥ 0, else alpha · x. */
export function leakyRelu(x: number, alpha = 0.01): number {
  return x >= 0 || Number.isNaN(x) ? x : alpha * x;
}

/** Computes tanh(softplus(x)) as w / (w + 2) with e = e^x and w = e(e + 2), where nothing cancels. */
function gate(x: number): number {
  if (x >= 20) return 1; // 2 / w < 2^-53
  const e = Math.exp(x);
  const w = e * (e + 2);
  return w / (w + 2);
}

/**
 * Computes x · tanh(softplus(βx)): Mish for β = 1. At -Infinity returns the limit, -0; the ONNX operators
 * (and PyTorch) compute -Infinity · 0 = NaN.
 */
export function mish(x: number, beta = 1): number {
  if (x === Number.NEGATIVE_INFINITY) return -0;
  const sharp = beta * x;
  return sharp < SUBNORMAL ? timesExp(x, sharp) : x * gate(sharp);
}

/** Computes αx + (1 - α) · x · tanh(softplus(βx)), the mixture that replaces LeakyReLU of slope α. */
export function mixture(x: number, beta: number, alpha: number): number {
  return alpha * x + (1 - alpha) * mish(x, beta);
}

/** Input below which e^x is close to the subnormal numbers. Every gate and derivative is a multiple of e^x there. */
const SUBNORMAL = -700;

/** Computes factor · e^x; rounds only once where e^x is subnormal. */
function timesExp(factor: number, x: number): number {
  return factor * Math.exp(x + 64) * Math.exp(-64);
}

/**
 * Computes Mish's first derivative, e^x ω / δ² with ω = 4(x + 1) + 4e^2x + e^3x + e^x(4x + 6) and
 * δ = 2e^x + e^2x + 2 (the paper's closed form). Nothing overflows up to 40; beyond, the derivative is 1.
 */
export function mishDerivative(x: number): number {
  if (x > 40) return 1; // the error is 4x e^-2x
  if (x < -760) return -0; // below the smallest double
  if (x < SUBNORMAL) return timesExp(x + 1, x);
  const e = Math.exp(x);
  const omega = 4 * (x + 1) + 4 * e ** 2 + e ** 3 + e * (4 * x + 6);
  const delta = 2 * e + e ** 2 + 2;
  return (e * omega) / delta ** 2;
}

/**
 * Computes the same derivative in the paper's other form, Δ(x) · swish(x) + f(x) / x. The factor
 * Δ(x) = sech²(softplus(x)) acts on the gradient like a preconditioner; f(x) / x is tanh(softplus(x)).
 */
export function mishDerivativeBySwish(x: number): number {
  if (x > 40) return 1;
  if (x < -760) return -0;
  if (x < SUBNORMAL) return swish(x) + timesExp(1, x);
  return sechSquaredOfSoftplus(x) * swish(x) + gate(x);
}

/** Computes sech²(softplus(x)) = 4p² / (p² + 1)² with p = 1 + e^x, without the cancellation of 1 - tanh². For x up to 40. */
function sechSquaredOfSoftplus(x: number): number {
  const p = 1 + Math.exp(x);
  return (4 * p ** 2) / (p ** 2 + 1) ** 2;
}
