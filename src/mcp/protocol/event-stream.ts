/** Writes a response as a stream of events (2025-11-25, transports: sending messages). */
import type { McpAnswer, Outlet } from './answer.ts'

/** An answer that is told in events (2025-11-25, transports: sending messages). */
export interface EventStream {
  readonly answer: McpAnswer
  /** @param message text of JSON, which holds no line breaks. */
  message(message: string): void
  /** Shows whatever is in between that the answer goes on. */
  keepAlive(): void
  end(): void
}

/** An answer whose text is that of an event stream. */
export interface EventText {
  readonly answer: McpAnswer
  write(text: string): void
  end(): void
}

/** What {@link EventStream.keepAlive} writes: a comment. */
export const WAITING = ': waiting\n\n'

const HEADERS: Readonly<Record<string, string>> = Object.freeze({
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  // Proxies that gather answers would keep the question from the person
  'x-accel-buffering': 'no',
})

const NOWHERE: Outlet = { write() {}, end() {} }

/** @param left told when the reader has left before the end. What is said afterwards goes nowhere. */
export function openEventText(left: () => void): EventText {
  let outlet: Outlet | null = null
  /** Said before somebody takes it. */
  let kept = ''
  let isEnded = false
  return {
    answer: {
      status: 200,
      headers: HEADERS,
      body: '',
      pieces(given) {
        outlet = given
        given.write(kept)
        if (isEnded) given.end()
        return () => {
          outlet = NOWHERE
          if (!isEnded) left()
        }
      },
    },
    write(text) {
      if (outlet === null) kept += text
      else outlet.write(text)
    },
    end() {
      if (isEnded) return
      isEnded = true
      outlet?.end()
    },
  }
}

/** A stream which no later request takes up again. @param left as of {@link openEventText} */
export function openEventStream(left: () => void): EventStream {
  const { answer, write, end } = openEventText(left)
  return {
    answer,
    message: (message) => write(`event: message\ndata: ${message}\n\n`),
    keepAlive: () => write(WAITING),
    end,
  }
}
