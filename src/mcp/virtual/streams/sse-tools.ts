/** How streams of HTTP+SSE origins are opened through the stages of requests. */
import { fieldValue } from '../../../gateway/header-lines.ts'
import type { AnswerPieces, GatewayPort, InnerAnswer } from '../../../gateway/port.ts'
import type { LinkedOrigin } from '../../../snapshot/linked/mcp.ts'
import type { OriginAnswer, OriginAnswerReader, ReadFromOrigin } from '../../origin/send.ts'
import type { SseTools } from '../../origin/sse-session.ts'
import { isMembers } from '../../protocol/message.ts'

type Fragment = LinkedOrigin['fragment']

/** How a stream at an origin is read: its URL, and its own times. Throws for an origin without a server. */
export function sseTools({ upstream, target }: Fragment, read: ReadFromOrigin): SseTools {
  if (upstream === null) throw new RangeError('the origin has no server')
  const { scheme, authority, first_byte_ms } = upstream
  return { read, url: `${scheme}://${authority}${target}`, waitMs: first_byte_ms }
}

/** The same for what Postern itself asks. @param as whose account is used at an origin with connections */
export function ownSseTools(
  gateway: Pick<GatewayPort, 'readOrigin'>,
  fragment: Fragment,
  as?: string,
): SseTools {
  const account = as === undefined ? {} : { as }
  return sseTools(fragment, (request, reader) => {
    const { pieces, done } = readingStream(fragment, reader)
    return gateway.readOrigin(fragment, { ...request, ...account }, pieces, done)
  })
}

/** An answer that stands, for a reader of the client of origins. It may be silent for as long as any answer of the origin. */
export function readingStream(
  { upstream }: Fragment,
  reader: OriginAnswerReader,
): { readonly pieces: AnswerPieces; readonly done: (answer: InnerAnswer) => void } {
  return {
    pieces: {
      idleTimeoutMs: upstream!.idle_ms,
      head: (status, fields) => reader.head(status, (name) => fieldValue(fields, name)),
      piece: (bytes, from, to) => reader.piece(bytes, from, to),
      gaveUp() {},
    },
    done: ({ code, body }) => reader.over(code === null ? null : detailOf(body)),
  }
}

/** What a problem object of the stages says. */
function detailOf(body: Uint8Array): string {
  const problem: unknown = JSON.parse(Buffer.from(body).toString('utf8'))
  return isMembers(problem) ? String(problem['detail'] ?? problem['title']) : ''
}

/** The answer of the stages as the client of an origin reads it. */
export function toOriginAnswer({ code, body, status, fields, truncated }: InnerAnswer): OriginAnswer {
  if (code !== null) return { ok: false, reason: detailOf(body), isUnreachable: code.startsWith('upstream_') }
  return { ok: true, status, header: (name) => fieldValue(fields, name), body, truncated }
}
