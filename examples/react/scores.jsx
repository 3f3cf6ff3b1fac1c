import * as ort from 'onnxruntime-web/all';
import { useEffect, useState } from 'react';
import { useMishSession } from './use-mish-session.js';

/** Shows what a model gives for a grey image. */
export function Scores({ model }) {
  const { session, progress, error } = useMishSession(model);
  const [scores, setScores] = useState();
  useEffect(() => {
    if (session === undefined) return;
    // The names and the shape are those of the model.
    const images = new ort.Tensor('float32', new Float32Array(28 * 28).fill(0.5), [1, 1, 28, 28]);
    session.run({ images }).then((outputs) => setScores(outputs.scores.data));
  }, [session]);
  if (error) return <p role="alert">{error.message}</p>;
  if (scores === undefined) return <progress value={progress} />;
  return <pre id="scores">{Array.from(scores).join('\n')}</pre>;
}
