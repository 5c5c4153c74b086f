/**
 * Captures of this process. They are in memory only: what callers sent is in no file, and a restart ends all captures.
 *
 * 1. Stored requests and awaited requests are at most {@link CAPTURED_MAX} together.
 * 2. A request is kept for {@link CAPTURE_KEEP_MS}, even if the clock is set meanwhile.
 * 3. All gateway threads know the waiting captures. This module decides which of the taken requests are kept, and when a
 *    capture is complete.
 */
import { type Clock, steadyOf } from '../../base/clock.ts'
import { newId } from '../../base/ids.ts'
import {
  type ArmedCapture,
  CAPTURE_KEEP_MS,
  CAPTURED_MAX,
  type CapturedRequest,
  type Taken,
} from '../../model/workflow/capture.ts'
import type { CaptureOrder, KeptCapture, TriggerCaptures } from '../engine/ports.ts'

/** Captures without any request that are told of; the oldest give way. */
const ENDED_MAX = 100

/** @param arm has all gateway threads wait for these, in place of those before */
export interface CaptureMemory extends TriggerCaptures {
  /** Takes what a gateway thread has taken. */
  readonly taken: (taken: Taken) => void
  /** Deletes what was kept long enough, and has threads wait no more for what is over. */
  readonly sweep: () => void
}

interface Kept extends KeptCapture {
  requests: KeptCapture['requests']
  end: KeptCapture['end']
}

export function createCaptureMemory(
  clock: Clock,
  arm: (captures: readonly ArmedCapture[]) => Promise<void>,
): CaptureMemory {
  const captures = new Map<string, Kept>()
  const steady = steadyOf(clock)
  /** How many captures the threads wait for. */
  let armedCount = 0

  function isWaiting({ end, requests, count, until }: Kept): boolean {
    return end === null && requests.length < count && steady.now() < until
  }

  function sweep(): void {
    const now = steady.now()
    for (const one of captures.values())
      if (one.requests.some(({ keptUntil }) => keptUntil <= now))
        one.requests = one.requests.filter(({ keptUntil }) => keptUntil > now)
    const ended = [...captures.values()].filter((one) => !isWaiting(one) && one.requests.length === 0)
    for (const [index, { id, until }] of ended.entries())
      if (until + CAPTURE_KEEP_MS * 2 <= now || index < ended.length - ENDED_MAX) captures.delete(id)
    // A thread that has not heard of it takes requests that `taken` refuses
    if ([...captures.values()].filter(isWaiting).length !== armedCount) tell().catch(() => {})
  }

  function armed(): readonly ArmedCapture[] {
    return [...captures.values()].filter(isWaiting).map(({ id, proxy, match, count, requests }) => ({
      ...{ id, match },
      proxy: proxy.id,
      left: count - requests.length,
    }))
  }

  function tell(): Promise<void> {
    const list = armed()
    armedCount = list.length
    return arm(list)
  }

  function keep(one: Kept, request: CapturedRequest): void {
    const keptUntil = steady.now() + CAPTURE_KEEP_MS
    one.requests = [...one.requests, { request, keptUntil, values: null }]
  }

  return {
    sweep,
    room() {
      sweep()
      let used = 0
      for (const one of captures.values()) used += isWaiting(one) ? one.count : one.requests.length
      return CAPTURED_MAX - used
    },
    async start(order: CaptureOrder) {
      const { ttlMs, ...rest } = order
      const now = steady.now()
      const one: Kept = {
        ...rest,
        id: newId('cap', clock),
        startedAt: now,
        until: now + ttlMs,
        requests: [],
        end: null,
      }
      captures.set(one.id, one)
      await tell()
      return one
    },
    find(id) {
      sweep()
      return captures.get(id)
    },
    all() {
      sweep()
      return [...captures.values()].reverse()
    },
    isWaiting: (one) => isWaiting(one),
    async end(id, why) {
      const one = captures.get(id)
      if (one === undefined || one.end !== null) return
      one.end = why
      one.requests = []
      await tell()
    },
    taken(taken) {
      const one = captures.get(taken.capture)
      if (one === undefined || one.end !== null) return
      if ('request' in taken) {
        if (!isWaiting(one)) return
        keep(one, taken.request)
        // The answer of the threads is not needed: `isWaiting` refuses a request that a thread takes too many
        tell().catch(() => {})
      } else
        one.requests = one.requests.map((kept) =>
          kept.request.requestId === taken.requestId ? { ...kept, values: taken.values } : kept,
        )
    },
  }
}
