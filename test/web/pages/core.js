// What test/web/core.test.ts runs in a page, in a worker and in Node: all that the core does to a model, in from each
// of the three kinds of input and out as bytes and as a Blob.
const INPUTS = {
  bytes: (bytes) => bytes,
  blob: (bytes) => new Blob([bytes]),
  stream: (bytes) => new Blob([bytes]).stream(),
};

async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function outputs(output) {
  const bytes = await output.bytes();
  const blob = new Uint8Array(await (await output.blob()).arrayBuffer());
  // Without the 64 digits of the digest at the end of the record.
  const plain = bytes.slice().fill(0, bytes.length - 67, bytes.length - 3);
  return {
    size: bytes.length,
    bytes: await sha256(bytes),
    blob: await sha256(blob),
    plain: await sha256(plain),
  };
}

/** @param core The module `onnx-mish`. */
export async function exercise({ inspect, swap, retarget, undo }, model) {
  const swapped = await (await swap(model, { form: 'exp' })).output.bytes();
  const results = {};
  for (const [kind, input] of Object.entries(INPUTS)) {
    const swap_ = await swap(input(model), { form: 'exp' });
    const retarget_ = await retarget(input(swapped), { form: 'softplus' });
    results[kind] = {
      inspect: await inspect(input(model)),
      swap: { report: swap_.report, output: await outputs(swap_.output) },
      retarget: { report: retarget_.report, output: await outputs(retarget_.output) },
      undo: await outputs(await undo(input(swapped))),
    };
  }
  return results;
}

/** Whether the policy is in force where this runs. */
export function evaluates() {
  try {
    return new Function('return true')();
  } catch {
    return false;
  }
}
