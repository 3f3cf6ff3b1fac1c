// Student's t distribution, for intervals from few values.

/** Coefficients of Lanczos's approximation of the gamma function (g = 7, n = 9). */
const LANCZOS = [
  0.999_999_999_999_809_9, 676.520_368_121_885_1, -1259.139_216_722_402_8, 771.323_428_777_653_1,
  -176.615_029_162_140_6, 12.507_343_278_686_905, -0.138_571_095_265_720_12, 9.984_369_578_019_572e-6,
  1.505_632_735_149_311_6e-7,
] as const;

/** Returns the logarithm of the gamma function for x > 0. */
function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const t = x + 6.5;
  const [first = 0, ...rest] = LANCZOS;
  const sum = rest.reduce((total, factor, index) => total + factor / (x + index), first);
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

const MAX_TERMS = 10_000;
const TINY = 1e-300;

/** Returns the continued fraction of the incomplete beta function (Lentz's method). */
function betaFraction(a: number, b: number, x: number): number {
  const kept = (value: number) => (Math.abs(value) < TINY ? TINY : value);
  let c = 1;
  let d = 1 / kept(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m <= MAX_TERMS; m++) {
    for (const term of [
      (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)),
      (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)),
    ]) {
      d = 1 / kept(1 + term * d);
      c = kept(1 + term / c);
      fraction *= c * d;
    }
    if (Math.abs(c * d - 1) < 1e-15) break;
  }
  return fraction;
}

/** Returns the regularised incomplete beta function I_x(a, b). */
function incompleteBeta(a: number, b: number, x: number): number {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  const factor = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
  return x < (a + 1) / (a + b + 2)
    ? (factor * betaFraction(a, b, x)) / a
    : 1 - (factor * betaFraction(b, a, 1 - x)) / b;
}

/** Returns the probability that a t with `freedom` degrees of freedom is further from 0 than |t|. */
export function tailsOfT(t: number, freedom: number): number {
  if (freedom > MAX_FREEDOM) return tailsOfT(t, MAX_FREEDOM);
  return incompleteBeta(freedom / 2, 0.5, freedom / (freedom + t * t));
}

/** Above this number of degrees of freedom the t distribution counts as normal. */
const MAX_FREEDOM = 1e7;

/** Returns the t that is exceeded in absolute value with the probability `tails`, 0.05 for a 95 % interval. */
export function quantileOfT(tails: number, freedom: number): number {
  let [low, high] = [0, 1];
  while (tailsOfT(high, freedom) > tails && high < 1e12) high *= 2;
  for (let turn = 0; turn < 100; turn++) {
    const middle = (low + high) / 2;
    if (tailsOfT(middle, freedom) > tails) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
