// Types of the modules that the bundler plugin creates: `"types": ["onnx-mish/client"]` in tsconfig.json.

declare module '*.onnx?mish' {
  /** URL of the swapped model. */
  const url: string;
  export default url;
  /** External data of the model, for the option `externalData` of ONNX Runtime Web's `InferenceSession.create`. */
  export const externalData: readonly { readonly path: string; readonly data: string }[];
}

// In an import with options, `mish` comes last: './model.onnx?form=exp&mish'.
declare module '*&mish' {
  const url: string;
  export default url;
  export const externalData: readonly { readonly path: string; readonly data: string }[];
}

declare module '*.onnx?mish-info' {
  /** Description of the model, as `inspect` returns it. */
  const inspection: import('onnx-mish').Inspection;
  export default inspection;
}

declare module '*&mish-info' {
  const inspection: import('onnx-mish').Inspection;
  export default inspection;
}
