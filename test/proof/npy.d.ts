export declare function npy(dims: readonly number[], data: Float32Array): Buffer;
