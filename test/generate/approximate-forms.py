# Finds the constants of the approximate forms in src/mish/forms.ts, and what other functions of the same operators reach.
#     pip install numpy scipy; python test/generate/approximate-forms.py [words of a name]
# ONNX Runtime's CPU provider keeps these operators in its blocked layout (NCHWc): Sigmoid, Tanh, HardSigmoid, Gelu, Relu, x·σ(αx),
# Add and Mul of two tensors, and an affine step as BatchNormalization, which takes a Sigmoid or Tanh after it along.
# The first figure is the largest difference from Mish over the line; then its x, the root mean square under inputs of N(0, 1), and
# the parameters. `weighted` fits the same functions by that root mean square instead.
import sys

import numpy as np
from scipy.optimize import least_squares, minimize
from scipy.special import erf

X = np.unique(np.concatenate([np.linspace(-12, 12, 1201), np.linspace(-60, 60, 121), [-1e3, 1e3]]))
MISH = X * np.tanh(np.logaddexp(0, X))
NORMAL = np.sqrt(np.exp(-(X**2) / 2) / np.exp(-(X**2) / 2).sum())


def s(x):
    return 1 / (1 + np.exp(-np.clip(x, -700, 700)))


t = np.tanh


def hard(x):
    return np.clip(x, 0, 1)


def gelu(x):
    return x * 0.5 * (1 + erf(x / 2**0.5))


def relu(x):
    return np.maximum(x, 0)


# name: (passes over memory, function of the parameters, number of parameters)
FUNCTIONS = {
    "x.hs(ax+b): form hard": (2, lambda p: X * hard(p[0] * X + p[1]), 2),
    "hardswish(cx)/c": (1, lambda p: X * hard(p[0] * X + 0.5), 1),
    "hardswish(cx+d)/c+e, in the weights around it": (
        0,
        lambda p: (p[0] * X + p[1]) * hard((p[0] * X + p[1]) / 6 + 0.5) / p[0] + p[2],
        3,
    ),
    "x.s(ax)": (1, lambda p: X * s(p[0] * X), 1),
    "(x+b).s(a(x+b))+d, in the weights around it": (1, lambda p: (X + p[1]) * s(p[0] * (X + p[1])) + p[2], 3),
    "gelu(ax)/a": (1, lambda p: gelu(p[0] * X) / p[0], 1),
    "x.s(ax+b): form sigmoid": (2, lambda p: X * s(p[0] * X + p[1]), 2),
    "x.relu(t(ax+b))": (3, lambda p: X * relu(t(p[0] * X + p[1])), 2),
    "x.s(ax+b+t(dx+e))": (3, lambda p: X * s(p[0] * X + p[1] + t(p[2] * X + p[3])), 4),
    "x.s(ax+b+s(dx+e))": (3, lambda p: X * s(p[0] * X + p[1] + s(p[2] * X + p[3])), 4),
    "x.s(ax+b+relu(dx+e))": (3, lambda p: X * s(p[0] * X + p[1] + relu(p[2] * X + p[3])), 4),
    "x.s(x+b+c.x.s(ax))": (3, lambda p: X * s(X + p[0] + p[1] * X * s(p[2] * X)), 3),
    "x.s(x+b+c.gelu(x))": (3, lambda p: X * s(X + p[0] + p[1] * gelu(X)), 2),
    "x.s(x+d+c.t(ax+b)): form tanh": (3, lambda p: X * s(X + p[3] + p[2] * t(p[0] * X + p[1])), 4),
    "x.s(x+d+c.gelu(ax+b))": (4, lambda p: X * s(X + p[3] + p[2] * gelu(p[0] * X + p[1])), 4),
    "x.s(x+d+c.t(x+f+e.t(ax+b)))": (4, lambda p: X * s(X + p[3] + p[2] * t(X + p[4] + p[5] * t(p[0] * X + p[1]))), 6),
    "x.s(x+d+c.t(ax+b+t(ex+f)))": (4, lambda p: X * s(X + p[3] + p[2] * t(p[0] * X + p[1] + t(p[4] * X + p[5]))), 6),
    "x.s(x+d+c.t(ax+b)+g.t(ex+f))": (
        5,
        lambda p: X * s(X + p[0] + p[1] * t(p[2] * X + p[3]) + p[4] * t(p[5] * X + p[6])),
        7,
    ),
}


def fit(f, count, weights, minimax, random):
    """Returns the parameters with the smallest largest residual (or sum of squares), from random starts."""

    def residuals(p):
        return np.clip(np.nan_to_num(weights * (f(p) - MISH), nan=1e3, posinf=1e3, neginf=-1e3), -1e3, 1e3)

    def size(p):
        return np.abs(residuals(p)).max() if minimax else np.square(residuals(p)).sum()

    best = None
    for _ in range(20 if count < 4 else 40):
        p = least_squares(residuals, random.normal(0.7, 0.8, count), max_nfev=300).x
        for power in (4, 8, 16, 32) if minimax else ():
            largest = size(p)
            if not 0 < largest < 0.6:
                break
            raised = lambda p: np.sign(residuals(p)) * (np.abs(residuals(p)) / largest) ** (power / 2)
            p = least_squares(raised, p, max_nfev=100).x
        best = p if best is None or size(p) < size(best) else best
    if minimax:
        largest = size(best)
        bounds = [
            {"type": "ineq", "fun": lambda z: z[-1] * largest - residuals(z[:-1])},
            {"type": "ineq", "fun": lambda z: z[-1] * largest + residuals(z[:-1])},
        ]
        options = {"maxiter": 300, "ftol": 1e-10}
        z = minimize(lambda z: z[-1], [*best, 1.0], constraints=bounds, method="SLSQP", options=options).x
        best = z[:-1] if size(z[:-1]) < size(best) else best
    return best


np.seterr(all="ignore")
words = [word for word in sys.argv[1:] if word != "weighted"]
weighted = "weighted" in sys.argv[1:]
for name, (passes, f, count) in FUNCTIONS.items():
    if not all(word in name for word in words):
        continue
    p = fit(f, count, NORMAL if weighted else np.ones_like(X), not weighted, np.random.default_rng(0))
    error = np.abs(f(p) - MISH)
    rms = np.sqrt(np.square(NORMAL * error).sum())
    print(f"{passes}  {name:45} {error.max():.6f} at {X[error.argmax()]:6.2f}  rms {rms:.6f}", np.round(p, 5).tolist(), flush=True)
