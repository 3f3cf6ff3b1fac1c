export declare const BUDGET: number;
export declare function bundle(names: string): Promise<{ code: string; bytes: number }>;
export declare function inOneFile(names: string): Promise<string>;
