export interface Options {
  readonly usage?: string;
  readonly names: readonly string[];
  readonly nodes: readonly string[];
  readonly pythons: readonly string[];
  readonly peers: readonly string[];
  readonly effort: { readonly rounds: number; readonly seconds: number };
}
export declare function parseOptions(words: readonly string[]): Options;
export declare function wanted(name: string, names: readonly string[]): boolean;
