/**
 * A call that a node of a workflow makes: an exchange of its own, which takes the checks of the way `step` alone. It counts against
 * no limit and has no record: those are of the call that the workflow answers.
 */
import type { Plain } from '../../base/json/storable.ts'
import { PROBLEMS } from '../../base/refusal.ts'
import { NodeFailure } from '../../nodes/run.ts'
import type { End, Exchange, GatheredAnswer, Routed } from '../exchange.ts'
import { endTarget } from '../forward/targets.ts'
import { firstFieldValue } from '../request-headers.ts'
import type { Life } from '../stage-types.ts'
import { lazily, readBody, toFieldObject } from './body.ts'

export type Done = (outputs: Plain | NodeFailure) => void

/**
 * Makes the call. `done` is told later, never at once, of `status`, `headers` and `body`.
 * @param make makes the exchange of the call, whose answer goes to this end
 * @param bytesMax bytes of the answer: a longer one fails the call
 * @returns what gives the call up
 * @throws NodeFailure as `make` does
 */
export function startCall(
  outer: Routed,
  life: Life,
  make: (end: End) => Exchange,
  bytesMax: number,
  done: Done,
): () => void {
  const call = new StepCall(outer, make, bytesMax, done)
  // An end in the same moment would come before the node has what gives it up
  queueMicrotask(() => call.begin(life))
  return () => call.abort()
}

class StepCall implements End {
  readonly stream = null
  readonly keepBytesMax: number
  readonly readBytesMax: number
  readonly isWholeOnly = true
  readonly #outer: Routed
  readonly #exchange: Exchange
  readonly #done: Done

  constructor(outer: Routed, make: (end: End) => Exchange, bytesMax: number, done: Done) {
    this.#outer = outer
    this.#done = done
    this.keepBytesMax = bytesMax
    this.readBytesMax = bytesMax + 1
    this.#exchange = make(this)
  }

  begin(life: Life): void {
    if (!this.#exchange.isOver) life.step(this.#exchange)
  }

  abort(): void {
    if (this.#exchange.isOver) return
    this.#exchange.outcome.aborted = true
    this.#over()
  }

  /** Refused, or failed: nothing else of this way answers. */
  answer(exchange: Exchange): void {
    const code = exchange.code ?? 'internal_error'
    this.#over()
    const kind = code === 'upstream_timeout' ? 'timeout' : String(PROBLEMS[code].status)
    this.#done(new NodeFailure(kind, exchange.reason === '' ? code : `${code}: ${exchange.reason}`, code))
  }

  pass(_exchange: Exchange, { status, fields, body }: GatheredAnswer): void {
    this.#over()
    this.#done(
      lazily(
        { status },
        {
          headers: () => toFieldObject(fields),
          body: () => readBody(body, firstFieldValue(fields, 'content-type') ?? ''),
        },
      ),
    )
  }

  #over(): void {
    const exchange = this.#exchange
    exchange.isOver = true
    exchange.gathering?.abort()
    exchange.gathering = null
    noteStep(this.#outer, exchange)
    endTarget(exchange)
  }
}

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
