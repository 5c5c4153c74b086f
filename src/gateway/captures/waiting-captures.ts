/**
 * The captures that wait for requests, as one thread knows them. The main thread knows how many requests each still takes: what a thread
 * takes too much is dropped there.
 *
 * 1. `armed` is null while nothing waits, so that a request costs one comparison.
 * 2. A capture leaves the table when it has taken its requests here, and when the main thread says so, which keeps its time.
 * 3. At most {@link OPEN_MAX} bodies of a thread are watched for each capture.
 */
import { type ArmedCapture, CAPTURED_MAX, type Taken } from '../../model/workflow/capture.ts'

/** Requests whose bodies are awaited: a slow one holds up no other. */
export const OPEN_MAX = CAPTURED_MAX

/** One capture in one thread. */
export interface Waiting {
  capture: ArmedCapture
  left: number
  /** Requests that fit, whose bodies have not come yet. */
  open: number
}

export interface Captures {
  /** By id of a proxy. */
  readonly armed: ReadonlyMap<string, readonly Waiting[]> | null
  /** From now on these wait, in the place of those before. */
  arm(captures: readonly ArmedCapture[]): void
  /** Those that wait for requests of a proxy. */
  waitingFor(proxy: string): readonly Waiting[]
  /** Gives what was taken to the main thread. */
  took(waiting: Waiting, taken: Taken): void
  /** Gives values of a request that was taken. */
  gave(taken: Taken): void
}

/** @param say tells the main thread */
export function createCaptures(say: (taken: Taken) => void): Captures {
  const all = (): Waiting[] => [...(captures.armed?.values() ?? [])].flat()

  function set(waiting: readonly Waiting[]): void {
    captures.armed = waiting.length === 0 ? null : Map.groupBy(waiting, ({ capture }) => capture.proxy)
  }

  // A member and no accessor: each request reads it
  const captures: Captures & { armed: Captures['armed'] } = {
    armed: null,
    arm(list) {
      const known = new Map(all().map((one) => [one.capture.id, one]))
      // Bodies that are awaited stay awaited. `left` of the main thread counts the requests that this thread took
      set(
        list.map((capture) =>
          Object.assign(known.get(capture.id) ?? { open: 0 }, { capture, left: capture.left }),
        ),
      )
    },
    waitingFor: (proxy) => captures.armed?.get(proxy) ?? [],
    took(waiting, taken) {
      waiting.left--
      if (waiting.left <= 0) set(all().filter((one) => one.capture.id !== waiting.capture.id))
      say(taken)
    },
    gave: say,
  }
  return captures
}
