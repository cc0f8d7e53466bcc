export function modulesIn(text: string): { readonly module: string; readonly from: number }[];
