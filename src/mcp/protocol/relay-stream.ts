import type { McpAnswer } from './answer.ts'
import { type EventStream, openEventStream } from './event-stream.ts'

/** Between two signs of life, milliseconds: what lies between ends connections that are silent for a minute. */
const KEEP_ALIVE_MS = 15_000

/** The answer to a relayed request: one JSON object, or from the first message before the response on a stream of events. */
export interface RelayStream {
  /** True for a client that reads streams. */
  readonly isAble: boolean
  /** Sends a message before the response; a client that reads no streams does not get it. @param text one line of JSON */
  message(text: string): void
  /** Told once when the client has left the stream. */
  left: () => void
  /** Sends the response. @param text of the JSON-RPC response; null for none. @param plain the answer where no stream was opened */
  end(text: string | null, plain: () => McpAnswer): void
}

/** @param accept the Accept header of the request. @param done is called once, with the stream as soon as there is one */
export function createRelayStream(
  accept: string | undefined,
  done: (answer: McpAnswer) => void,
): RelayStream {
  const isAble = accept !== undefined && /text\/event-stream/i.test(accept)
  let stream: EventStream | null = null
  let timer: NodeJS.Timeout | undefined
  const self: RelayStream = {
    isAble,
    left() {},
    message(text) {
      if (!isAble) return
      const isFirst = stream === null
      stream ??= openEventStream(() => {
        clearInterval(timer)
        self.left()
      })
      stream.message(text)
      if (!isFirst) return
      timer = setInterval(() => stream?.keepAlive(), KEEP_ALIVE_MS).unref()
      done(stream.answer)
    },
    end(text, plain) {
      clearInterval(timer)
      if (stream === null) {
        done(plain())
        return
      }
      if (text !== null) stream.message(text)
      stream.end()
    },
  }
  return self
}
