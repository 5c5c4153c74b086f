/** The response to a relayed request: one JSON object, or a stream of events. */
import type { McpAnswer } from './answer.ts'
import { type EventStream, openEventStream } from './event-stream.ts'

/** Between two signs of life, milliseconds: what lies between ends connections that are silent for a minute. */
const KEEP_ALIVE_MS = 15_000
/** After so long without an answer a stream that can be resumed is opened, milliseconds: its client must learn how. */
const OPENED_AFTER_MS = 1000

/** The answer to a relayed request: one JSON object, or from the first message before the response on a stream of events. */
export interface RelayStream {
  /** True for a client that reads streams. */
  readonly isAble: boolean
  /** Sends a message before the response; a client that reads no streams does not get it. @param text one line of JSON */
  message(text: string): void
  /** Told once when the client has left the stream, and is not waited for. */
  left: () => void
  /** Sends the response. @param text of the JSON-RPC response; null for none. @param plain the answer where no stream was opened */
  end(text: () => string | null, plain: () => McpAnswer): void
}

/** A stream that a later request can take up again. */
export interface Resumable {
  open(left: () => void): EventStream
  /** False as long as the record of the message waits for its answer. */
  isAccounted(): boolean
}

/**
 * @param accept the Accept header of the request
 * @param done is called once, with the stream as soon as there is one
 * @param resumable null for a stream that ends with its connection
 */
export function createRelayStream(
  accept: string | undefined,
  done: (answer: McpAnswer) => void,
  resumable: Resumable | null = null,
): RelayStream {
  const isAble = accept !== undefined && /text\/event-stream/i.test(accept)
  let stream: EventStream | null = null
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  const self: RelayStream = {
    isAble,
    left() {},
    message(text) {
      if (!isAble || isOver) return
      const isFirst = stream === null
      const opened = stream ?? open()
      opened.message(text)
      if (isFirst) done(opened.answer)
    },
    end(text, plain) {
      isOver = true
      clearInterval(timer)
      if (stream === null) {
        done(plain())
        return
      }
      const response = text()
      if (response !== null) stream.message(response)
      stream.end()
    },
  }

  function open(): EventStream {
    clearInterval(timer)
    const left = (): void => {
      clearInterval(timer)
      self.left()
    }
    const opened = resumable?.open(left) ?? openEventStream(left)
    stream = opened
    timer = setInterval(() => opened.keepAlive(), KEEP_ALIVE_MS).unref()
    return opened
  }

  if (isAble && resumable !== null)
    timer = setInterval(() => {
      if (resumable.isAccounted()) done(open().answer)
    }, OPENED_AFTER_MS).unref()
  return self
}
