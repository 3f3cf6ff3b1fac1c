export interface Licensed {
  readonly name: string;
  readonly version?: string;
  /** Undefined where neither the lock nor the files name one. */
  readonly licence?: string;
  /** Whether users get it. */
  readonly production: boolean;
}
export declare function allows(licences: readonly string[], expression: string): boolean;
export declare function problem(one: Licensed): string | undefined;
export declare function importedPackages(): Set<string>;
/** Paths in the lock of what users get, from the root package and what is bundled. */
export declare function productionPaths(packages: object, bundled: readonly string[]): Set<string>;
export declare function licences(): Promise<Licensed[]>;
