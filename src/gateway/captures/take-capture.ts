/**
 * Takes requests for captures that wait for them. A body that the request needs nothing of is seen on its way, and never held up: the
 * first 64 KiB of it are copied.
 *
 * 1. A request is taken when its checks have admitted it and its body has come, or as much of it as is kept.
 * 2. A request whose caller leaves before that, or whose body is refused, is not taken: the capture waits for the next one.
 * 3. Nothing here fails a request.
 */
import { ByteBuffer } from '../../base/memory/bytes.ts'
import { CAPTURE_BYTES_MAX, VALUE_CHARS_MAX, VALUES_CHARS_MAX } from '../../model/workflow/capture.ts'
import type { TrialStep } from '../../model/workflow/trial.ts'
import type { BodyWatch } from '../../wire/port.ts'
import type { Routed } from '../exchange.ts'
import type { LinkedPlan } from '../workflow/linked-plan.ts'
import { TrialWatch } from '../workflow/watched-plan.ts'
import { bodyOf, fits, type Head, headOf, mayFit } from './captured-request.ts'
import { type Captures, OPEN_MAX, type Waiting } from './waiting-captures.ts'

/** To be called once for each request that the upstream or a workflow is to answer, while anything is armed. */
export function takeForCaptures(exchange: Routed): void {
  const { lane, proxy, replayed } = exchange
  // A request that an operator makes is no request of a caller
  if (replayed !== null) return
  const waiting = lane.captures
    .waitingFor(proxy.id)
    .filter(({ capture, open }) => open < OPEN_MAX && mayFit(capture.match, exchange))
  if (waiting.length === 0) return
  try {
    const head = headOf(exchange)
    const one = waiting.find(({ capture }) => fits(capture.match, head.head))
    if (one !== undefined) begin(exchange, one, head)
  } catch (error) {
    lane.fault(error)
  }
}

function begin(exchange: Routed, waiting: Waiting, head: Head): void {
  const { lane, proxy } = exchange
  const run = proxy.direct === null ? null : new TakenRun(lane.captures, waiting.capture.id, head)
  exchange.captured = run
  const take = (bytes: Uint8Array, wholeBytes: number | null): void => {
    const request = { ...head.head, ...bodyOf(head, bytes, wholeBytes) }
    lane.captures.took(waiting, { capture: waiting.capture.id, request })
    run?.taken()
  }
  const { body, bodyBytes, source } = exchange
  if (bodyBytes === 0) take(NOTHING, 0)
  else if (body !== null) take(body.subarray(0, CAPTURE_BYTES_MAX), body.length)
  else source!.watchBody(new Copy(exchange, waiting, take))
}

const NOTHING = new Uint8Array(0)

/** Copies the beginning of a body. */
class Copy implements BodyWatch {
  readonly #exchange: Routed
  readonly #waiting: Waiting
  readonly #take: (bytes: Uint8Array, wholeBytes: number | null) => void
  /** Bounded by the bytes of a capture, and by the bodies that are awaited. */
  readonly #kept = new ByteBuffer(null)
  #isOver = false

  constructor(
    exchange: Routed,
    waiting: Waiting,
    take: (bytes: Uint8Array, wholeBytes: number | null) => void,
  ) {
    this.#exchange = exchange
    this.#waiting = waiting
    this.#take = take
    waiting.open++
  }

  piece(bytes: Uint8Array, from: number, to: number): void {
    if (this.#isOver) return
    const until = Math.min(to, from + CAPTURE_BYTES_MAX - this.#kept.length)
    // The engine reuses the bytes
    this.#kept.add(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), from, until)
    if (until < to) this.#end(declared(this.#exchange.bodyBytes))
  }

  end(isWhole: boolean): void {
    if (this.#isOver) return
    const { outcome, code, bodyBytes } = this.#exchange
    if (isWhole) this.#end(this.#kept.length)
    // An upstream that answers early reads no more
    else if (!outcome.aborted && code === null && this.#kept.length > 0) this.#end(declared(bodyBytes))
    else this.#close()
  }

  #end(wholeBytes: number | null): void {
    const bytes = this.#kept.whole()
    this.#close()
    // Its requests have come meanwhile, or its time is over
    if (!this.#exchange.lane.captures.waitingFor(this.#exchange.proxy.id).includes(this.#waiting)) return
    try {
      this.#take(bytes, wholeBytes)
    } catch (error) {
      this.#exchange.lane.fault(error)
    }
  }

  #close(): void {
    this.#isOver = true
    this.#kept.drop()
    this.#waiting.open--
  }
}

/** Null for a body whose length is not declared. */
function declared(bodyBytes: number): number | null {
  return bodyBytes < 0 ? null : bodyBytes
}

// The values that the nodes of a workflow give in the run for a request that a capture has taken.

/** One run. The values are told when the run has ended and the request was taken, in whatever order. */
class TakenRun {
  readonly #captures: Captures
  readonly #capture: string
  readonly #head: Head
  readonly #watch: TrialWatch
  #isTaken = false
  #isEnded = false

  constructor(captures: Captures, capture: string, head: Head) {
    this.#captures = captures
    this.#capture = capture
    this.#head = head
    this.#watch = new TrialWatch({}, true, {
      valueChars: VALUE_CHARS_MAX,
      allChars: VALUES_CHARS_MAX,
      shown: (outputs) => head.clean.value(outputs),
      // The capture has the request itself
      without: 'http_trigger',
    })
  }

  /** The plan, watched. */
  plan(plan: LinkedPlan): LinkedPlan {
    return this.#watch.plan(plan, '')
  }

  taken(): void {
    this.#isTaken = true
    this.#tell()
  }

  /** To be called once when the run has ended. */
  ended(): void {
    this.#isEnded = true
    this.#tell()
  }

  #tell(): void {
    if (!this.#isTaken || !this.#isEnded) return
    const values = this.#watch.steps.map(
      (step): TrialStep => ({
        ...step,
        error: step.error && { ...step.error, message: this.#head.clean.text(step.error.message) },
      }),
    )
    this.#captures.gave({ capture: this.#capture, requestId: this.#head.head.requestId, values })
  }
}
