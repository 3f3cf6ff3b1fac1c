'use client';

import { useEffect, useState } from 'react';

/** Shows what a model gives for a grey image. */
export function Scores({ model }) {
  const [scores, setScores] = useState();
  const [error, setError] = useState();
  useEffect(() => {
    run(model).then(setScores, setError);
  }, [model]);
  if (error) return <p role="alert">{error.message}</p>;
  return <pre id="scores">{scores?.join('\n')}</pre>;
}

/** Loads ONNX Runtime Web when the page needs it, and not on the server. */
async function run(model) {
  const { InferenceSession, Tensor } = await import('onnxruntime-web/wasm');
  const session = await InferenceSession.create(model);
  // The names and the shape are those of the model.
  const images = new Tensor('float32', new Float32Array(28 * 28).fill(0.5), [1, 1, 28, 28]);
  const { scores } = await session.run({ images });
  await session.release();
  return Array.from(scores.data);
}
