export declare function nodeProgram(root: string, major: string, kept?: string): string;
export declare function nodeVersions(root: string, majors: readonly string[], kept?: string): string[];
