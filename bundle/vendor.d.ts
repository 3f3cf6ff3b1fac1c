/** Names of the packages that are bundled. */
export declare const BUNDLED: readonly string[];
export declare function vendor(): Promise<void>;
