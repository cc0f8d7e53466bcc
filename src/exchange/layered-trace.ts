// A trace for an exchange that may have one already, which goes on: who wants to do more at a step extends it.
// Tested by test/inspect/captures.test.ts.
import type { Outcome, ResponseHead } from "./exchange.ts";
import { Trace } from "./trace.ts";

export class LayeredTrace extends Trace {
  override readonly begun: number;
  readonly #before: Trace | undefined;

  constructor(before: Trace | undefined) {
    super();
    this.begun = before?.begun ?? performance.now();
    this.#before = before;
  }

  override queued(): void {
    super.queued();
    this.#before?.queued();
  }

  override passedOn(app: string): void {
    this.#before?.passedOn(app);
  }

  override handedOver(pid?: number): void {
    super.handedOver(pid);
    this.#before?.handedOver(pid);
  }

  override head(head: ResponseHead): ResponseHead {
    super.head(head);
    return this.#before?.head(head) ?? head;
  }

  override ended(outcome: Outcome): void {
    super.ended(outcome);
    this.#before?.ended(outcome);
  }
}
