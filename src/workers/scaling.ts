// How many processes run an application: from what is measured of it to one decision, by a table of rules. Nothing here
// starts or ends a process.
import type { ProcessBounds } from "../exchange/index.ts";

/** Milliseconds between two measurements. */
export const CHECK_INTERVAL = 100;
/** Milliseconds that a request may wait, or an event loop may be held up, before there are more processes. */
export const LONGEST_WAIT = 100;
/** Requests that wait for each process that is started at once. */
const WAITING_PER_PROCESS = 4;

/** What is measured. Times are milliseconds. */
export interface ScalingFacts {
  /** Processes that take requests. */
  readonly ready: number;
  /** Processes that are being started, or wait until they may be. */
  readonly starting: number;
  /** Requests that wait for a process. */
  readonly waiting: number;
  /** For how long the first of them has waited. */
  readonly oldest: number;
  /** For how long every event loop has been held up; 0 where there is none. */
  readonly lag: number;
  /** For how long there has been a process that the application could do without. */
  readonly spare: number;
  /** The last start has failed, and its pause is not over. */
  readonly pausing: boolean;
}

export interface ScalingPolicy extends ProcessBounds {
  /** Milliseconds for which a process must be to spare before one ends. */
  readonly idleTimeout: number;
}

/** `count`: how many processes start, or, where it is negative, end. */
export interface Decision {
  readonly count: number;
  /** For the log. */
  readonly reason: string;
}

type Rule = (facts: ScalingFacts, policy: ScalingPolicy) => Decision | undefined;

const total = ({ ready, starting }: ScalingFacts): number => ready + starting;

const tooMany: Rule = (facts, { max }) => {
  const excess = total(facts) - max;
  return excess > 0 ? { count: -excess, reason: `there may be ${max}` } : undefined;
};

const tooFew: Rule = (facts, { min }) => {
  const missing = min - total(facts);
  if (missing <= 0 || facts.pausing) return undefined;
  return { count: missing, reason: `there must be ${min}` };
};

/** What was started last is given the chance to help before more is; so is an application that does not start. */
const settling: Rule = ({ starting, pausing }) =>
  starting > 0 || pausing ? { count: 0, reason: "" } : undefined;

const none: Rule = ({ ready, waiting }) =>
  ready === 0 && waiting > 0 ? { count: 1, reason: "a request waits, and there is none" } : undefined;

/** At most twice as many at a time: the more there are, the more a queue is worth. */
const overloaded: Rule = (facts, { max }) => {
  const { ready, waiting, oldest, lag } = facts;
  const reason = whyMore(facts);
  if (reason === undefined || ready >= max || Math.max(oldest, lag) < LONGEST_WAIT) return undefined;
  const wanted = Math.max(1, Math.ceil(waiting / WAITING_PER_PROCESS));
  return { count: Math.min(wanted, ready, max - ready), reason };
};

function whyMore({ waiting, oldest, lag }: ScalingFacts): string | undefined {
  if (waiting > 0 && oldest >= LONGEST_WAIT)
    return `${waiting} requests wait, the first for ${Math.round(oldest)} ms`;
  return lag >= LONGEST_WAIT ? `every event loop is held up for ${Math.round(lag)} ms` : undefined;
}

const idle: Rule = ({ ready, spare }, { min, idleTimeout }) =>
  ready > min && spare >= idleTimeout
    ? { count: -1, reason: `one was to spare for ${Math.round(idleTimeout / 100) / 10} s` }
    : undefined;

/** The first rule that applies decides. */
const RULES: readonly Rule[] = [tooMany, tooFew, settling, none, overloaded, idle];

/** What to do now; undefined: nothing. */
export function decide(facts: ScalingFacts, policy: ScalingPolicy): Decision | undefined {
  for (const rule of RULES) {
    const decision = rule(facts, policy);
    if (decision) return decision.count === 0 ? undefined : decision;
  }
  return undefined;
}

/** Whether the number of processes may change by itself. */
export const isElastic = ({ min, max }: ProcessBounds): boolean => min < max;

/** "grows from 2 to 4 processes: 9 requests wait, the first for 130 ms". `count` is that of the decision. */
export function describeDecision({ ready, starting }: ScalingFacts, { count, reason }: Decision): string {
  const now = ready + starting;
  return `${count > 0 ? "grows" : "shrinks"} from ${now} to ${now + count} processes: ${reason}`;
}
