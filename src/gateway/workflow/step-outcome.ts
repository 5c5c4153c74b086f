import type { Exchange } from '../exchange.ts'

/** Has the record of a request say what a step of its workflow came to: the last call of an upstream or an origin. */
export function noteStep(outer: Exchange, step: Exchange): void {
  const { outcome } = outer
  const { upstreamAt, upstreamHeadAt, upstreamStatus } = step.outcome
  if (upstreamAt > 0) Object.assign(outcome, { upstreamAt, upstreamHeadAt })
  // A call that had its effect is not forgotten for a later one: an idempotency key stays used
  const hasSucceeded = outcome.upstreamStatus >= 200 && outcome.upstreamStatus < 400
  if (upstreamStatus > 0 && !hasSucceeded) outcome.upstreamStatus = upstreamStatus
  if (step.askedUrl !== '') outer.askedUrl = step.askedUrl
  outer.retries += step.retries
}
