export declare function nodeProgram(root: string, major: string): string;
export declare function nodeVersions(root: string, majors: readonly string[]): string[];
