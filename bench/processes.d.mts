export type Part = "server" | "worker";
export interface Process {
  readonly pid: number;
  readonly part: Part;
}
export type Sums = Record<Part | "all", number>;
/** Microseconds. */
export declare function parseStat(text: string): { readonly own: number; readonly ended: number };
/** Bytes. */
export declare function parseRollup(text: string): number;
export declare function part(program: string): Part;
export declare function tree(root: number, launcher?: boolean): Process[];
export declare function processorTime(processes: readonly Process[]): Sums;
export declare function memoryHeld(processes: readonly Process[]): Sums;
