"""Makes reference-table.json: Mish and its derivative at 30 points, computed with 50 digits. Run by hand."""
import json
import pathlib
from mpmath import mp, mpf, exp, log, tanh, diff, findroot

mp.dps = 50


def f(x):
    return x * tanh(log(1 + exp(x)))


def derivative(x):
    s = log(1 + exp(x))
    sigmoid = 1 / (1 + exp(-x))
    return (1 - tanh(s) ** 2) * x * sigmoid + tanh(s)


POINTS = [-745, -700, -200, -88, -40, -30, -20, -17, -12, -10, -8, -5, -4, -3, -2.5, -2, -1.5,
          -1.1924, -1, -0.5, -0.1, -1e-8, 1e-300, 0.1, 0.5, 1, 2, 5, 20, 700]
assert len(POINTS) == 30
with mp.workdps(400):  # 1 - tanh² cancels in the tails
    rows = [{"x": x, "mish": str(mp.nstr(f(mpf(x)), 30)), "derivative": str(mp.nstr(derivative(mpf(x)), 30))}
            for x in POINTS]
    low = findroot(derivative, -1.19)
    minimum = {"x": mp.nstr(low, 30), "mish": mp.nstr(f(low), 30)}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps({"minimum": minimum, "rows": rows}, indent=2) + "\n")
