/**
 * Reads the answer of an origin to one request over as many streams as it takes. An origin of an earlier era may end a stream
 * before its answer, and continue in another stream that Postern asks for.
 *
 * 1. The request itself is sent once. A stream that sent no event id is not resumed.
 * 2. All streams together take no longer than a call of the origin may.
 */
import { type Clock, timerMs } from '../../../base/clock.ts'
import { problemOf, type RefusalCode } from '../../../base/refusal.ts'
import type { AnswerVerdict, GatewayPort, InnerCall, InnerCallHandle } from '../../../gateway/port.ts'
import { fieldValue } from '../../../gateway/request-headers.ts'
import type { OriginReply } from '../../origin/answer.ts'
import { type OriginReader, Resumption } from '../../origin/reader.ts'
import type { LineEvents } from './origin-line.ts'

export interface AnswerParts {
  /** The request. */
  readonly first: InnerCall
  /** Takes up the stream after the event with that id; null where the origin cannot. */
  readonly next: ((lastId: string) => InnerCall) | null
  /** Reads one stream. */
  read(hasSession: boolean): OriginReader
  /** What the record of the request says of its answer. @param bytes of the response */
  judge(reply: OriginReply, bytes: number): AnswerVerdict
  /** For all of it, milliseconds. */
  readonly totalMs: number
}

/** Failures by which a stream breaks. */
const BREAKS: ReadonlySet<RefusalCode> = new Set(['upstream_unreachable', 'upstream_invalid_response'])

export function readOverStreams(
  { gateway, clock }: { readonly gateway: Pick<GatewayPort, 'call'>; readonly clock: Clock },
  { first, next, read, judge, totalMs }: AnswerParts,
  events: LineEvents,
): InnerCallHandle {
  const resumption = new Resumption()
  const endsAt = clock.monotonic() + totalMs
  let handle: InnerCallHandle | null = null
  /** The request that led to the call is over, and the call goes on. */
  let isParked = false
  let timer: NodeJS.Timeout | undefined

  function send(call: InnerCall, isFirst: boolean): void {
    // An unknown session of a stream that is taken up does not begin the call anew
    const reader = read(isFirst && next !== null)
    let isOver = false
    let isLate = false
    // The request itself ends by its own rules
    const total = isFirst
      ? undefined
      : setTimeout(
          () => {
            isLate = true
            begun.abort()
          },
          timerMs(endsAt - clock.monotonic()),
        ).unref()
    const begun = gateway.call(
      {
        ...call,
        until: isParked ? null : call.until,
        reader: {
          head: (status, fields) => reader.head(status, fieldValue(fields, 'content-type') ?? ''),
          piece: (bytes, from, to) => reader.piece(bytes, from, to),
          ...(isFirst ? { judge: () => judged(reader) } : {}),
          gaveUp() {
            clearTimeout(total)
            reader.end()
            if (isLate) late()
            else events.gaveUp()
          },
        },
      },
      ({ code, body }) => {
        isOver = true
        clearTimeout(total)
        handle = null
        const reply = reader.end()
        const isEmpty = reply.kind === 'none' && (reply.status ?? 0) < 400
        const isBroken = code === null ? isEmpty : BREAKS.has(code)
        const again = isBroken && next !== null ? resumption.next(reader.cursor) : null
        if (again === null) events.ended(code === null ? reply : { kind: 'refused', code, body })
        else wait(again.lastId, again.waitMs)
      },
    )
    if (!isOver) handle = begun
  }

  /** A stream that is to be taken up again has not failed. */
  function judged(reader: OriginReader): AnswerVerdict {
    const reply = reader.end()
    return reply.kind === 'none' && next !== null && reader.cursor !== null
      ? { code: null, reason: 'the origin has closed the stream before its answer', bytes: 0 }
      : judge(reply, reader.responseBytes)
  }

  function wait(lastId: string, waitMs: number): void {
    const leftMs = endsAt - clock.monotonic()
    timer = setTimeout(
      () => {
        timer = undefined
        if (leftMs > waitMs) send(next!(lastId), false)
        else late()
      },
      Math.min(waitMs, Math.max(0, leftMs)),
    ).unref()
  }

  function late(): void {
    const code = 'upstream_timeout'
    const detail = 'The answer did not end in time.'
    const body = Buffer.from(JSON.stringify(problemOf(code, { detail }, first.requestId)))
    events.ended({ kind: 'refused', code, body })
  }

  send(first, true)
  return {
    park(code) {
      isParked = true
      handle?.park(code)
    },
    abort() {
      if (timer !== undefined) {
        clearTimeout(timer)
        timer = undefined
        events.gaveUp()
      }
      handle?.abort()
    },
  }
}
