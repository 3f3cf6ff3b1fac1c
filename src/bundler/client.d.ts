// The types of what the bundler plugin makes of an import: `"types": ["onnx-mish/client"]` in tsconfig.json.

declare module '*.onnx?mish' {
  /** The address of the swapped model. */
  const url: string;
  export default url;
  /** Its external data, as the option of that name of ONNX Runtime Web's `InferenceSession.create` takes it. */
  export const externalData: readonly { readonly path: string; readonly data: string }[];
}

// With options of its own, `mish` comes last: './model.onnx?form=exp&mish'.
declare module '*&mish' {
  const url: string;
  export default url;
  export const externalData: readonly { readonly path: string; readonly data: string }[];
}

declare module '*.onnx?mish-info' {
  /** What the model is, as `inspect` describes it. */
  const inspection: import('onnx-mish').Inspection;
  export default inspection;
}

declare module '*&mish-info' {
  const inspection: import('onnx-mish').Inspection;
  export default inspection;
}
