// Sallyport's own test kit, for users: the conformance suite, its reference applications, and an exchange without a listener.
export { LintError, LintedExchange, lint } from "../exchange/lint.ts";
export { fetchReference } from "./apps/fetch.ts";
export { nodeReference } from "./apps/node.ts";
export { referenceGateway } from "./apps/reference.ts";
export {
  type AppScript,
  type Behaviour,
  type Bytes,
  CAPABILITIES,
  type Capability,
  type Case,
  type ClientBehaviour,
  CONFORMANCE_FIELD,
  type Expected,
  type ExpectedSeen,
  type Request,
  type Seen,
  type Step,
} from "./case.ts";
export { testSuite } from "./node-test.ts";
export { type Recorded, RecordedExchange, type RecordedRequest } from "./recorded.ts";
export { lackingFor, type Result, runSuite, type SuiteOptions } from "./run.ts";
export { suite, themes } from "./suite.ts";

// Earlier names, kept until 1.0.
import type { AppScript, Bytes, ClientBehaviour } from "./case.ts";

/** @deprecated It is called `ClientBehaviour` now. */
export type Conduct = ClientBehaviour;
/** @deprecated It is called `Script` now. */
export type Instruction = AppScript;
/** @deprecated It is called `Bytes` now. */
export type Octets = Bytes;
