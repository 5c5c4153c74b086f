/** Answers requests that a server sends on a stream without a client behind it. */
import { type Members, rpcIdIn, writableId } from '../protocol/message.ts'
import { originResponse } from './envelope.ts'
import type { SendToOrigin } from './send.ts'

/** Requests of a server that get an answer in {@link WINDOW_MS}: each answer is a request to it. */
const ANSWERS_MAX = 50
const WINDOW_MS = 60_000
const METHOD_NOT_FOUND = -32601

/** Answers what a server asks on a stream that stands. No client stands behind it: only a sign of life is given. */
export class StandingAnswers {
  readonly #version: string
  readonly #send: SendToOrigin
  readonly #now: () => number
  #since: number
  #answers = 0

  /** @param version revision that the server speaks @param now monotonic, milliseconds */
  constructor(version: string, send: SendToOrigin, now: () => number) {
    this.#version = version
    this.#send = send
    this.#now = now
    this.#since = now()
  }

  /** @param session of the server; null for one without ids */
  answer(asked: Members, session: string | null): void {
    const id = rpcIdIn(asked, 'id')
    if (id === undefined) return
    if (this.#now() - this.#since >= WINDOW_MS) {
      this.#since = this.#now()
      this.#answers = 0
    }
    if (++this.#answers > ANSWERS_MAX) return
    const error = { code: METHOD_NOT_FOUND, message: 'Nothing is asked on this stream' }
    const content = asked['method'] === 'ping' ? { result: {} } : { error }
    void this.#send(
      originResponse(this.#version, session, { jsonrpc: '2.0', id: writableId(id), ...content }),
    )
  }
}
