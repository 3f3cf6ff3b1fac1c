# Makes the nets and samples of calibrate-nets.js: small classifiers, trained for less than a minute of one CPU each and exported
# by five exporters. Training ends by the time of the CPU, so that another machine makes other weights.
#
#     python calibrate-nets.py FOLDER samples            fashion-train.npz and so on; needs numpy
#     python calibrate-nets.py FOLDER torch [name ...]   needs torch, onnx, onnxscript
#     python calibrate-nets.py FOLDER keras [name ...]   needs tensorflow, tf2onnx
#     python calibrate-nets.py FOLDER sklearn            needs scikit-learn, skl2onnx
#     python calibrate-nets.py FOLDER paddle             needs paddlepaddle, paddle2onnx
#
# The pictures are those of Debian's package dataset-fashion-mnist.
import functools, gzip, os, sys, time
import numpy as np

FOLDER, KIND, *NAMES = sys.argv[1:]
os.makedirs(FOLDER, exist_ok=True)
FASHION = '/usr/share/datasets/fashion-mnist'
BATCH = 128

SAMPLES = 20_000  # the most that calibrate takes by itself

def raw(split):
    name = 't10k' if split == 'test' else split
    read = lambda part, header: np.frombuffer(gzip.open(f'{FASHION}/{name}-{part}-ubyte.gz').read()[header:], np.uint8)
    return read('images-idx3', 16).reshape(-1, 28, 28), read('labels-idx1', 8).astype(np.int64)

def fashion(split):
    images, classes = raw(split)
    return images[:, None], classes

def composite(split):
    """Each picture in a colour, moved, half of them mirrored, on another picture, with noise."""
    images, classes = raw(split)
    random = np.random.default_rng(1 if split == 'train' else 2)
    count = len(images)
    other, shift = random.permutation(count), random.integers(0, 5, (count, 2))
    mirrored = random.random(count) < 0.5
    front, back = random.uniform(0.5, 1, (count, 3)), random.uniform(0, 0.6, (count, 3))
    out = np.zeros((count, 3, 32, 32), np.uint8)
    for i in range(count):
        above, below = np.zeros((32, 32), 'f'), np.zeros((32, 32), 'f')
        y, x = shift[i]
        above[y:y + 28, x:x + 28] = images[i][:, ::-1] if mirrored[i] else images[i]
        below[2:30, 2:30] = images[other[i]].T
        mixed = above * front[i][:, None, None] + (1 - above / 255 * 0.8) * below * back[i][:, None, None]
        out[i] = np.clip(mixed * 0.8 + random.normal(0, 12, (3, 32, 32)) + 20, 0, 255)
    return out, classes

def normalised(images, data):
    images = np.asarray(images, np.float32) / 255
    return images if data == 'fashion' else (images - 0.35) / 0.25

@functools.cache
def sets(data):
    kept = f'{FOLDER}/{data}-all.npz'
    if not os.path.exists(kept):
        make = fashion if data == 'fashion' else composite
        np.savez(kept, *make('train'), *make('test'))
    files = np.load(kept)
    return tuple(files[name] for name in files)

def samples():
    for data, other in (('fashion', 'fashion-flat'), ('composite', 'composite-nhwc')):
        train, y, test, test_y = sets(data)
        for split, x, classes in (('train', train[:SAMPLES], y[:SAMPLES]), ('test', test, test_y)):
            x = normalised(x, data)
            again = x.reshape(len(x), -1) if data == 'fashion' else x.transpose(0, 2, 3, 1).copy()
            for name, images in ((data, x), (other, again)):
                np.savez(f'{FOLDER}/{name}-{split}.npz', images=images, y=classes.astype(np.uint8))

def training(data, seconds, step, predict):
    """Calls step(images, classes, share of the time) until the seconds of the CPU are over; returns top-1 in percent."""
    x, y, test, test_y = sets(data)
    start, steps, share = time.process_time(), 0, 0
    while share < 1:
        order = np.random.permutation(len(x))
        for at in range(0, len(x) - BATCH, BATCH):
            share = (time.process_time() - start) / seconds
            if share >= 1: break
            some = order[at:at + BATCH]
            step(normalised(x[some], data), y[some], share)
            steps += 1
    right = sum((predict(normalised(test[at:at + 500], data)).argmax(1) == test_y[at:at + 500]).sum() for at in range(0, 10000, 500))
    return f'{steps} steps, {right / 100} %'

def rate(highest, share):
    return highest * (0.5 + 0.5 * np.cos(np.pi * share)) + 1e-6

def torch_nets():
    import torch
    from torch import nn
    from torch.nn import functional as F
    torch.set_num_threads(1)
    relu, leaky = nn.ReLU, lambda slope: lambda: nn.LeakyReLU(slope)
    def conv(i, o, k=3, s=1, groups=1, act=relu):
        return nn.Sequential(nn.Conv2d(i, o, k, s, k // 2, groups=groups, bias=False), nn.BatchNorm2d(o), act())
    def normed(i, o, k, s=1):
        return nn.Sequential(nn.Conv2d(i, o, k, s, k // 2, bias=False), nn.BatchNorm2d(o))
    def short(i, o, s):
        return nn.Identity() if i == o and s == 1 else normed(i, o, 1, s)
    class Residual(nn.Module):
        def __init__(self, i, o, s=1):
            super().__init__()
            self.a, self.b, self.short = conv(i, o, 3, s), normed(o, o, 3), short(i, o, s)
        def forward(self, x): return F.relu(self.b(self.a(x)) + self.short(x))
    class Preactivated(nn.Module):
        def __init__(self, i, o, s=1):
            super().__init__()
            self.n1, self.c1 = nn.BatchNorm2d(i), nn.Conv2d(i, o, 3, s, 1, bias=False)
            self.n2, self.c2 = nn.BatchNorm2d(o), nn.Conv2d(o, o, 3, 1, 1, bias=False)
            self.short = nn.Conv2d(i, o, 1, s, bias=False) if i != o or s != 1 else None
        def forward(self, x):
            h = F.relu(self.n1(x))
            return (x if self.short is None else self.short(h)) + self.c2(F.relu(self.n2(self.c1(h))))
    class Dense(nn.Module):
        def __init__(self, i, more):
            super().__init__()
            self.n, self.c = nn.BatchNorm2d(i), nn.Conv2d(i, more, 3, 1, 1, bias=False)
        def forward(self, x): return torch.cat([x, self.c(F.relu(self.n(x)))], 1)
    class Excited(nn.Module):
        def __init__(self, i, o, s=1):
            super().__init__()
            self.a, self.b, self.short = conv(i, o, 3, s), normed(o, o, 3), short(i, o, s)
            self.squeeze, self.excite = nn.Conv2d(o, o // 4, 1), nn.Conv2d(o // 4, o, 1)
        def forward(self, x):
            h = self.b(self.a(x))
            gate = torch.sigmoid(self.excite(F.relu(self.squeeze(h.mean((2, 3), keepdim=True)))))
            return F.relu(h * gate + self.short(x))
    class Rows(nn.Module):
        def __init__(self):
            super().__init__()
            def one(i, o, dilation=1): return (nn.Conv1d(i, o, 3, padding=dilation, dilation=dilation), relu())
            self.net = nn.Sequential(*one(28, 64), *one(64, 64), nn.MaxPool1d(2), *one(64, 128, 2), *one(128, 128),
                nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(128, 10))
        def forward(self, x): return self.net(x.squeeze(1))
    def head(channels): return (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))
    def dense(*sizes):
        pairs = list(zip(sizes, sizes[1:]))
        layers = [one for i, o in pairs for one in (nn.Linear(i, o), relu())]
        return [nn.Flatten(), *layers[:-1]]
    def plain(channels, slope=None, pools=True):
        act = relu if slope is None else leaky(slope)
        return [one for at, (i, o) in enumerate(zip(channels, channels[1:])) for one in
            (nn.Conv2d(i, o, 3, 1 if pools or at == 0 else 2, 1), act(), *([nn.MaxPool2d(2)] if pools else []))]
    seq = nn.Sequential
    nets = {  # name: (net, data, exporter, rate, seconds)
        'cnn-small': (lambda: seq(*plain((3, 24, 48, 64)), *dense(1024, 128, 10)), 'composite', 17, 1e-3, 40),
        'mlp3000': (lambda: seq(*dense(784, 3000, 3000, 256, 10)), 'fashion', 'dynamo', 5e-4, 40),
        'mlp-color': (lambda: seq(*dense(3072, 256, 256, 128, 10)), 'composite', 11, 1e-3, 30),
        'densenet': (lambda: seq(nn.Conv2d(3, 24, 3, 2, 1), Dense(24, 12), Dense(36, 12), Dense(48, 12), nn.BatchNorm2d(60), relu(),
            nn.Conv2d(60, 30, 1), nn.AvgPool2d(2), Dense(30, 12), Dense(42, 12), Dense(54, 12), nn.BatchNorm2d(66), relu(), *head(66)),
            'composite', 'dynamo', 3e-3, 45),
        'dwsep': (lambda: seq(conv(1, 24, 3, 2), conv(24, 24, groups=24), conv(24, 48, 1), conv(48, 48, 3, 2, 48), conv(48, 96, 1),
            conv(96, 96, groups=96), conv(96, 96, 1), *head(96)), 'fashion', 17, 3e-3, 35),
        'leaky03': (lambda: seq(conv(3, 24, 3, 2, act=leaky(0.3)), conv(24, 32, act=leaky(0.3)), conv(32, 64, 3, 2, act=leaky(0.3)),
            conv(64, 64, act=leaky(0.3)), *head(64)), 'composite', 'dynamo', 3e-3, 35),
        'leaky001': (lambda: seq(*plain((1, 24, 32, 64), 0.01, False), nn.Flatten(), nn.Linear(3136, 96), nn.LeakyReLU(0.01),
            nn.Linear(96, 10)), 'fashion', 17, 1e-3, 35),
        'seq1d': (Rows, 'fashion', 'dynamo', 2e-3, 30),
        'preact': (lambda: seq(nn.Conv2d(3, 16, 3, 2, 1, bias=False), Preactivated(16, 48), Preactivated(48, 48),
            Preactivated(48, 96, 2), Preactivated(96, 96), nn.BatchNorm2d(96), relu(), *head(96)), 'composite', 17, 3e-3, 45),
        'senet': (lambda: seq(conv(3, 24, 3, 2), Excited(24, 24), Excited(24, 48, 2), Excited(48, 48), *head(48)),
            'composite', 'dynamo', 3e-3, 40),
        'resnet-color': (lambda: seq(conv(3, 16, 3, 2), Residual(16, 16), Residual(16, 32, 2), Residual(32, 32), *head(32)),
            'composite', 17, 3e-3, 40),
    }
    for name in NAMES or nets:
        make, data, exporter, highest, seconds = nets[name]
        torch.manual_seed(1)
        net = make()
        optimizer = torch.optim.AdamW(net.parameters(), lr=highest, weight_decay=1e-4)
        def step(images, classes, share):
            net.train()
            for group in optimizer.param_groups: group['lr'] = rate(highest, share)
            loss = F.cross_entropy(net(torch.from_numpy(images)), torch.from_numpy(classes))
            optimizer.zero_grad(); loss.backward(); optimizer.step()
        def predict(images):
            net.eval()
            with torch.no_grad(): return net(torch.from_numpy(images)).numpy()
        print(name, training(data, seconds, step, predict), flush=True)
        example = torch.zeros(4, *((1, 28, 28) if data == 'fashion' else (3, 32, 32)))
        named = dict(input_names=['images'], output_names=['scores'])
        if exporter == 'dynamo':
            torch.onnx.export(net, (example,), f'{FOLDER}/{name}.onnx', dynamo=True, external_data=False,
                dynamic_shapes=({0: torch.export.Dim('N')},), **named)
        else:
            axes = {'images': {0: 'N'}, 'scores': {0: 'N'}}
            torch.onnx.export(net, (example,), f'{FOLDER}/{name}.onnx', dynamo=False, opset_version=exporter, dynamic_axes=axes, **named)

def keras_nets():
    os.environ['CUDA_VISIBLE_DEVICES'] = '-1'
    import tensorflow as tf, tf2onnx
    from tensorflow.keras import Input, Model, layers as l
    def normed(x, o, s=1): return l.BatchNormalization()(l.Conv2D(o, 3, s, 'same', use_bias=False)(x))
    def residual(x):
        x = l.ReLU()(normed(x, 16, 2))
        for o, s in ((16, 1), (32, 2), (32, 1)):
            h = normed(l.ReLU()(normed(x, o, s)), o)
            x = l.ReLU()(l.Add()([h, x if s == 1 and x.shape[-1] == o else l.Conv2D(o, 1, s, use_bias=False)(x)]))
        return l.Dense(10, name='scores')(l.GlobalAveragePooling2D()(x))
    def cnn(x):
        for o in (24, 32, 48): x = l.MaxPooling2D()(l.Conv2D(o, 3, padding='same', activation='relu')(x))
        return l.Dense(10, activation='softmax', name='scores')(l.Dense(128, activation='relu')(l.Flatten()(x)))
    for name, body in (('keras-residual', residual), ('keras-cnn', cnn)):
        if NAMES and name not in NAMES: continue
        image = Input((32, 32, 3), name='images')
        net = Model(image, body(image))
        loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=body is residual)
        optimizer = tf.keras.optimizers.Adam(2e-3)
        @tf.function
        def move(images, classes):
            with tf.GradientTape() as tape: value = loss(classes, net(images, training=True))
            optimizer.apply_gradients(zip(tape.gradient(value, net.trainable_variables), net.trainable_variables))
        def step(images, classes, share):
            optimizer.learning_rate.assign(rate(2e-3, share))
            move(images.transpose(0, 2, 3, 1), classes)
        predict = lambda images: net(images.transpose(0, 2, 3, 1), training=False).numpy()
        print(name, training('composite', 50, step, predict), flush=True)
        run = tf.function(lambda images: net(images, training=False))
        signature = (tf.TensorSpec((None, 32, 32, 3), tf.float32, name='images'),)
        tf2onnx.convert.from_function(run, input_signature=signature, opset=15, output_path=f'{FOLDER}/{name}.onnx')

def sklearn_net():
    from sklearn.neural_network import MLPClassifier
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType
    x, y, test, test_y = sets('fashion')
    flat = lambda images: normalised(images, 'fashion').reshape(len(images), -1)
    net = MLPClassifier((128, 64), max_iter=8, batch_size=200, random_state=1).fit(flat(x[:40000]), y[:40000])
    print('sklearn-mlp', net.score(flat(test), test_y))
    options = {id(net): {'zipmap': False}}
    made = to_onnx(net, initial_types=[('images', FloatTensorType([None, 784]))], options=options, target_opset=15)
    open(f'{FOLDER}/sklearn-mlp.onnx', 'wb').write(made.SerializeToString())

def paddle_net():
    import paddle
    from paddle import nn
    def conv(i, o, s=1): return nn.Sequential(nn.Conv2D(i, o, 3, s, 1, bias_attr=False), nn.BatchNorm2D(o), nn.ReLU())
    net = nn.Sequential(conv(1, 16), conv(16, 32, 2), conv(32, 48, 2), nn.AdaptiveAvgPool2D(1), nn.Flatten(), nn.Linear(48, 10))
    optimizer = paddle.optimizer.Adam(2e-3, parameters=net.parameters())
    def step(images, classes, share):
        net.train()
        optimizer.set_lr(rate(2e-3, share))
        nn.functional.cross_entropy(net(paddle.to_tensor(images)), paddle.to_tensor(classes)).backward()
        optimizer.step(); optimizer.clear_grad()
    def predict(images):
        net.eval()
        return net(paddle.to_tensor(images)).numpy()
    print('paddle-cnn', training('fashion', 40, step, predict), flush=True)
    net.eval()
    spec = [paddle.static.InputSpec([None, 1, 28, 28], 'float32', 'images')]
    paddle.onnx.export(net, f'{FOLDER}/paddle-cnn', input_spec=spec, opset_version=13)

{'samples': samples, 'torch': torch_nets, 'keras': keras_nets, 'sklearn': sklearn_net, 'paddle': paddle_net}[KIND]()
