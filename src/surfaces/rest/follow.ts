/**
 * Streams of events for operations that wait. The operation is called again and again, each time with the token, so a stream
 * ends with the permission or the token. The next events are fetched when the caller has read the last ones, so nothing
 * accumulates here.
 */
import { Refusal, refuse, toProblem } from '../../base/refusal.ts'

/** One answer of an operation that is followed. */
export interface Followed {
  readonly items: readonly unknown[]
  readonly next_cursor: string
  readonly missed: boolean
}

export interface FollowPorts {
  /** Calls the operation; refuses as it does. @param cursor null for the first call */
  readonly ask: (cursor: string | null) => Promise<Followed>
  readonly log: (error: unknown, requestId: string) => void
  readonly requestId: string
}

/**
 * A `text/event-stream` (WHATWG HTML 9.2): an event `record` for each item with the cursor as its id, `missed` where some are
 * not kept any more, and `error` with a problem object before the stream ends. A comment shows that it is alive.
 *
 * @param lastId Cursor of the last event that the caller has seen; null to begin now.
 * @throws what the first call refuses
 */
export async function followStream(ports: FollowPorts, lastId: string | null): Promise<Response> {
  let page: Followed | null = await ports.ask(lastId)
  let cursor = page.next_cursor
  let left = false
  const encoder = new TextEncoder()
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const say = (text: string): void => {
          if (!left) controller.enqueue(encoder.encode(text))
        }
        try {
          page ??= await ports.ask(cursor)
        } catch (error) {
          const refusal = error instanceof Refusal ? error : refuse('internal_error')
          if (refusal.status === 500) ports.log(error, ports.requestId)
          say(`event: error\ndata: ${JSON.stringify(toProblem(refusal, ports.requestId))}\n\n`)
          if (!left) controller.close()
          return
        }
        cursor = page.next_cursor
        const events = page.items.map((item) => `event: record\ndata: ${JSON.stringify(item)}\n\n`)
        // The cursor is that of the whole answer: an id before its last event would skip the others
        say(
          `${page.missed ? 'event: missed\ndata: {}\n\n' : ''}${events.join('')}id: ${cursor}\n: waiting\n\n`,
        )
        page = null
      },
      cancel() {
        left = true
      },
    },
    { highWaterMark: 0 },
  )
  return new Response(stream, { headers: { 'content-type': 'text/event-stream' } })
}
