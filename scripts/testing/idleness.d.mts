/** What is used of os.CpuInfo: milliseconds of each state since the system's start. */
interface Processor {
  readonly times: Readonly<Record<string, number>>;
}

export class Idleness {
  constructor(processors?: () => readonly Processor[]);
  /** How many processors have had nothing to do since the last call, on average: 1.5 of 2. */
  sinceLast(): number;
}
