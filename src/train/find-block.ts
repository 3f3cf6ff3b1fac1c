import { type ComposedNode, composeModel } from '../onnx/compose.js';
import type { Provider, SessionOptions } from '../providers/provider.js';
import { elementCount, type Tensor } from '../providers/tensor.js';
import { withSession } from '../providers/with-session.js';
import { createTape } from './autodiff/tape.js';
import {
  blockedConv,
  blockedWeights,
  filled,
  inWholeBlocks,
  meanOfPlaces,
  toBlocked,
  toPlain,
} from './rewrite/blocks.js';

/** Block sizes of ONNX Runtime: 16 with AVX-512, else 8. */
const SIZES = [16, 8];
/** Fills no whole block, so that the probe sees how ONNX Runtime fills up the last one. */
const CHANNELS = 20;
const SIDE = 5;
const TOLERANCE = 1e-4;
const WINDOW = { kernel: [3, 3], strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1] };

/** A model that computes relu(conv(x) + x) and its mean over places in the plain layout, then in the blocked layout. */
function comparison(block: number): Uint8Array {
  const dims = [CHANNELS, CHANNELS, 3, 3];
  const tape = createTape(13, () => [], 't/');
  const { kernel, strides, dilations, pads } = WINDOW;
  const attributes = { kernel_shape: kernel, strides, dilations, pads };
  const sum = tape.node('Add', [tape.node('Conv', ['x', 'w', 'b'], attributes), 'x']);
  const plain = tape.node('Relu', [sum]);
  const x = toBlocked(tape, 'x');
  const stored = inWholeBlocks(CHANNELS, block);
  const weights = blockedWeights(tape, 'w', dims, block, true);
  const blocked = blockedConv(tape, [x, weights, filled(tape, 'b', [CHANNELS], [stored]), x], WINDOW, {
    group: 1,
    relu: true,
  });
  const outputs = {
    plain,
    'plain mean': tape.node('GlobalAveragePool', [plain]),
    blocked: toPlain(tape, blocked, CHANNELS),
    'blocked mean': meanOfPlaces(tape, blocked, [2, CHANNELS], block),
  };
  const named = Object.entries(outputs).map(([to, from]): ComposedNode => ['Identity', [from], [to]]);
  return composeModel(
    [...tape.nodes, ...named],
    { x: 4, w: 4, b: 1 },
    { plain: 4, 'plain mean': 4, blocked: 4, 'blocked mean': 4 },
  );
}

function wave(dims: readonly number[], pace: number): Tensor {
  const data = Float32Array.from({ length: elementCount(dims) }, (_, at) => Math.sin(at * pace));
  return { elemType: 'f32', dims, data };
}

/** The block size on each provider that was asked. */
const found = new WeakMap<Provider, Promise<number | undefined>>();

/**
 * Finds the block size of ONNX Runtime's blocked layout, which its CPU provider has on x64. Runs a small model to see that
 * the layout is there and gives the plain layout's numbers. Returns undefined otherwise.
 */
export function findBlock(provider: Provider, session?: SessionOptions): Promise<number | undefined> {
  const known = found.get(provider) ?? probe(provider, session);
  found.set(provider, known);
  return known;
}

async function probe(provider: Provider, session?: SessionOptions): Promise<number | undefined> {
  const feeds = {
    x: wave([2, CHANNELS, SIDE, SIDE], 0.7),
    w: wave([CHANNELS, CHANNELS, 3, 3], 1.3),
    b: wave([CHANNELS], 2.1),
  };
  for (const block of SIZES) {
    const results = await withSession(comparison(block), { provider, session }, (open) =>
      open.run(feeds),
    ).catch(() => undefined);
    if (results === undefined) continue;
    const same = (a: string, b: string) => {
      const [one, other] = [results[a]?.data as Float32Array, results[b]?.data as Float32Array];
      return one.every((value, at) => Math.abs(value - (other[at] ?? Number.NaN)) <= TOLERANCE);
    };
    if (same('plain', 'blocked') && same('plain mean', 'blocked mean')) return block;
  }
  return undefined;
}
