export declare function htmlOf(markdown: string, from: string): string;
export declare function guidePages(folder: string): (readonly [fileName: string, html: string])[];
