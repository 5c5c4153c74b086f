/** Reads an answer as it comes, and leaves it when it is told to. */
import { type ServerSentEvent, SseReader } from '../../src/mcp/protocol/sse-reader.ts'

export interface EventReader {
  readonly status: number
  readonly headers: Headers
  /** Events that have come so far, with their own ids. */
  readonly events: readonly ServerSentEvent[]
  /** All that has come so far. */
  text(): string
  readonly isEnded: () => boolean
  /** Breaks the connection off. */
  leave(): Promise<void>
}

export async function readEvents(url: string, init: RequestInit): Promise<EventReader> {
  const leaving = new AbortController()
  const headers = {
    accept: 'application/json, text/event-stream',
    ...(init.headers as Record<string, string>),
  }
  const answer = await fetch(url, { ...init, headers, signal: leaving.signal })
  const events: ServerSentEvent[] = []
  const reader = new SseReader({ eventBytesMax: 1024 * 1024, budget: null }, (event) => events.push(event))
  let text = ''
  let ended = false
  const read = async (): Promise<void> => {
    for await (const piece of answer.body!) {
      const bytes = Buffer.from(piece as Uint8Array)
      text += bytes.toString()
      reader.add(bytes)
    }
    ended = true
  }
  const reading = answer.body === null ? Promise.resolve() : read().catch(() => {})
  return {
    status: answer.status,
    headers: answer.headers,
    events,
    text: () => text,
    isEnded: () => ended,
    async leave() {
      leaving.abort()
      await reading
    },
  }
}
