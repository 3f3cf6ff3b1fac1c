import { createMishSession } from 'onnx-mish/web';
import * as ort from 'onnxruntime-web/all';
import { useEffect, useState } from 'react';

/** Opens a session of the swapped model; releases it when the component goes or the address changes. */
export function useMishSession(url) {
  const [state, setState] = useState({ progress: 0 });
  useEffect(() => {
    const controller = new AbortController();
    const opened = createMishSession(ort, url, {
      providers: ['webgl', 'wasm'],
      form: 'auto',
      cache: true,
      signal: controller.signal,
      onProgress: ({ phase, loaded, total }) => {
        if (phase === 'fetch' && total) setState({ progress: loaded / total });
      },
    });
    opened.then(
      (session) => {
        if (!controller.signal.aborted) setState({ progress: 1, session });
      },
      (error) => {
        if (!controller.signal.aborted) setState({ progress: 0, error });
      },
    );
    return () => {
      controller.abort();
      opened.then(
        (session) => session.release(),
        () => {},
      );
    };
  }, [url]);
  return state;
}
