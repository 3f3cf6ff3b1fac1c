"""Exports small scikit-learn pipelines with skl2onnx. Run by hand; the files it makes are beside it.

    pip install scikit-learn skl2onnx
    python test/exporters/sklearn_models.py
"""

from pathlib import Path

import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).resolve().parent
x, y = load_iris(return_X_y=True)
x = x.astype(np.float32)
names = np.array(['setosa', 'versicolor', 'virginica'])[y]
settings = {'max_iter': 300, 'random_state': 0}

NETS = {
    'mlp': make_pipeline(StandardScaler(), MLPClassifier(hidden_layer_sizes=(12, 8), **settings)).fit(x, y),
    'mlp-strings': make_pipeline(StandardScaler(), MLPClassifier(hidden_layer_sizes=(12,), **settings)).fit(x, names),
    'regressor': MLPRegressor(hidden_layer_sizes=(10, 6), **settings).fit(x[:, :3], x[:, 3]),
    'forest': RandomForestClassifier(3, max_depth=3, random_state=0).fit(x, y),
}
for name, model in NETS.items():
    width = model.n_features_in_
    (HERE / f'sklearn-{name}.onnx').write_bytes(to_onnx(model, x[:1, :width]).SerializeToString())
