"""Exports small Keras nets with keras.export and with tf2onnx. Run by hand; the files it makes are beside it.

    pip install tensorflow-cpu tf2onnx
    python test/exporters/keras_models.py
"""

import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tf2onnx
from keras import layers

HERE = Path(__file__).resolve().parent
keras.utils.set_random_seed(7)


def cnn():
    """Images with the channels last, ReLU in a layer and on its own, ReLU6 and LeakyReLU."""
    images = keras.Input((12, 12, 3), name='images')
    x = layers.Conv2D(8, 3, padding='same', use_bias=False)(images)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    x = layers.DepthwiseConv2D(3, strides=2, padding='same')(x)
    x = layers.ReLU(max_value=6)(x)
    x = layers.Conv2D(8, 1)(x)
    x = layers.LeakyReLU(negative_slope=0.1)(x)
    x = layers.MaxPooling2D()(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(12, activation='relu')(x)
    x = layers.Dropout(0.3)(x)
    return keras.Model(images, layers.Dense(3, activation='softmax', name='scores')(x))


def gru():
    """A recurrent net with a ReLU layer; the length of the sequence is free."""
    sequence = keras.Input((None, 4), name='sequence')
    x = layers.GRU(6)(sequence)
    x = layers.Dense(10, activation='relu')(x)
    return keras.Model(sequence, layers.Dense(2)(x))


for name, model in {'cnn': cnn(), 'gru': gru()}.items():
    if name == 'cnn':
        model.compile('adam', 'sparse_categorical_crossentropy')
        pixels = np.random.default_rng(7).random((64, 12, 12, 3), np.float32)
        model.fit(pixels, np.arange(64) % 3, epochs=2, verbose=0)  # running statistics
        model.export(HERE / f'keras-{name}.onnx', format='onnx', verbose=False)
    tf2onnx.convert.from_keras(model, output_path=str(HERE / f'tf2onnx-{name}.onnx'))


class Module(tf.Module):
    """A function of TensorFlow without Keras."""

    def __init__(self):
        self.w1 = tf.Variable(tf.random.normal((5, 8), seed=1))
        self.w2 = tf.Variable(tf.random.normal((8, 2), seed=2))

    @tf.function(input_signature=[tf.TensorSpec((None, 5), tf.float32, name='x')])
    def __call__(self, x):
        return {'y': tf.nn.leaky_relu(tf.matmul(tf.nn.relu(tf.matmul(x, self.w1)), self.w2), 0.2)}


module = Module()
tf2onnx.convert.from_function(
    module.__call__, input_signature=[tf.TensorSpec((None, 5), tf.float32, name='x')],
    output_path=str(HERE / 'tf2onnx-function.onnx'),
)
