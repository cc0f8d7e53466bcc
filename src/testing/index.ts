// What Sallyport tests itself with, for others: the conformance suite, applications that play its part, and an exchange
// without a listener.
export { LintError, LintedExchange, lint } from "../exchange/lint.ts";
export { fetchReference } from "./apps/fetch.ts";
export { nodeReference } from "./apps/node.ts";
export { referenceGateway } from "./apps/reference.ts";
export {
  type Behaviour,
  CAPABILITIES,
  type Capability,
  type Case,
  CONFORMANCE_FIELD,
  type Conduct,
  type Expected,
  type ExpectedSeen,
  type Instruction,
  type Octets,
  type Request,
  type Seen,
  type Step,
} from "./case.ts";
export { testSuite } from "./node-test.ts";
export { type Recorded, RecordedExchange, type RecordedRequest } from "./recorded.ts";
export { lackingFor, type Result, runSuite, type SuiteOptions } from "./run.ts";
export { suite, themes } from "./suite.ts";
