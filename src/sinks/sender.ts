/**
 * Sends one stream of a sink. Invariants:
 * 1. One batch at a time, in order: a batch that is not accepted is sent again until it is.
 * 2. The state moves past a batch after it was accepted, and is told before the next batch is read.
 * 3. It waits between attempts, longer after each failure, and as long as the destination asks for.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import type { SinkStream } from '../model/sink.ts'
import { StoreUnavailable } from '../store/ports/unavailable.ts'
import type { StreamState } from './port.ts'
import { type Batch, NotAccepted, type Receiver, type SinkEvent, TRY_MS } from './receiver.ts'
import type { Found, Source } from './source.ts'

/** Between two looks at a stream in which nothing is new, milliseconds. */
const IDLE_MS = 500
/** First and longest wait after failures. */
const RETRY_MS = 1000
const RETRY_MS_MAX = 60_000
/** How often a wait looks at the clock. */
const STEP_MS = 50

export interface SenderParts {
  readonly sink: string
  readonly stream: SinkStream
  readonly source: Source
  readonly receiver: Receiver
  readonly clock: Clock
  /** Until when this process may send, milliseconds since the epoch. */
  readonly until: () => number
  /** Told each state. */
  readonly progress: (state: StreamState) => void
  /** 0 to 1, for jitter. */
  readonly random?: () => number
  /** Waits by the clock, until the signal ends. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>
}

/** Sends until the signal ends; resolves when nothing is on the way any more. */
export async function runSender(parts: SenderParts, first: StreamState, signal: AbortSignal): Promise<void> {
  const { sink, stream, source, receiver, clock, until, progress, random = Math.random } = parts
  const { wait = waiter(clock) } = parts
  let state = first
  const tell = (change: Partial<StreamState>): void => {
    state = { ...state, ...change }
    progress(state)
  }
  const failed = (message: string): void => tell({ lastError: message, lastErrorAt: clock.now() })
  /** Waits that double, with jitter, so that many sinks do not come back at once. */
  const backOff = (failures: number): number => {
    const ms = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** Math.min(failures - 1, 16))
    return ms / 2 + (random() * ms) / 2
  }
  const mayStart = (): boolean => clock.now() + TRY_MS < until()

  /** The next of the stream; null when the signal ended. */
  async function read(): Promise<Found | null> {
    for (let failures = 0; !signal.aborted; ) {
      try {
        const found = mayStart() ? await source.next(state.position) : null
        if (found !== null) return found
        if (state.waitingSince !== null) tell({ waitingSince: null })
        failures = 0
        await wait(IDLE_MS, signal)
      } catch (error) {
        failures++
        failed(
          error instanceof StoreUnavailable
            ? 'the store cannot be read'
            : `the store cannot be read: ${messageOf(error)}`,
        )
        await wait(backOff(failures), signal)
      }
    }
    return null
  }

  /** True when the batch was accepted, false when the signal ended before. */
  async function deliver(batch: Batch): Promise<boolean> {
    for (let failures = 0; !signal.aborted; ) {
      if (!mayStart()) {
        await wait(IDLE_MS, signal)
        continue
      }
      try {
        await receiver.send(batch)
        return true
      } catch (error) {
        failures++
        failed(error instanceof NotAccepted ? error.message : messageOf(error))
        const asked = error instanceof NotAccepted ? error.retryAfterMs : null
        await wait(Math.max(asked ?? 0, backOff(failures)), signal)
      }
    }
    return false
  }

  // From now on the state is kept, so that later changes of the sink do not move its beginning
  progress(state)
  while (!signal.aborted) {
    const found = await read()
    if (found === null) return
    const { events, position, dropped, missedUntil } = found
    const oldest = events.reduce((least, { time }) => Math.min(least, time), Number.POSITIVE_INFINITY)
    if (events.length > 0) {
      if (state.waitingSince !== oldest) tell({ waitingSince: oldest })
      if (!(await deliver({ id: batchId(sink, stream, events), stream, events }))) return
    }
    tell({
      position,
      sent: state.sent + events.length,
      dropped: state.dropped + dropped,
      ...(missedUntil !== null && { missedUntil }),
      ...(events.length > 0 && { lastSentAt: clock.now(), lastError: null }),
    })
  }
}

/** Names a batch by its events. */
function batchId(sink: string, stream: string, events: readonly SinkEvent[]): string {
  const hash = createHash('sha256').update(`${sink} ${stream}`)
  for (const { id } of events) hash.update(` ${id}`)
  return `msg_${hash.digest('base64url').slice(0, 27)}`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Looks at the clock often, so that a clock that is moved ends the wait. */
function waiter(clock: Clock): NonNullable<SenderParts['wait']> {
  return async (ms, signal) => {
    const end = clock.monotonic() + ms
    while (!signal.aborted) {
      const left = end - clock.monotonic()
      if (left <= 0) return
      await new Promise<void>((done) => {
        const stop = (): void => {
          clearTimeout(timer)
          signal.removeEventListener('abort', stop)
          done()
        }
        const timer = setTimeout(stop, Math.min(left, STEP_MS))
        signal.addEventListener('abort', stop)
      })
    }
  }
}
