import type { ByteBudget } from '../base/memory/bytes.ts'
import type {
  AnswerStream,
  AnswerWriter,
  BodyWatch,
  ForwardRequest,
  Incoming,
  KeptBytes,
  Outcome,
  PeerCertificate,
  Upstream,
} from './port.ts'

/** What a handler sees of a moved request in the place of what was sent. */
export interface Moved {
  readonly path: string
  readonly host: string
  readonly taken: readonly (string | undefined)[]
}

/**
 * A request that one handler hands to another under a path of the other. Body, answer and outcome are those of the request itself, and
 * so is `state` from now on: what the first handler had put there is dropped.
 */
export class MovedRequest<State> implements Incoming<State> {
  readonly path: string
  readonly host: string
  readonly taken: readonly (string | undefined)[]
  readonly method: string
  readonly query: string
  readonly minor: 0 | 1
  readonly pass: string
  readonly withheld: string
  readonly bodyBytes: number
  readonly peer: string
  readonly certificate: PeerCertificate | null
  readonly upgrade = false
  readonly listener: number
  readonly outcome: Outcome
  readonly #request: Incoming<State>

  constructor(request: Incoming<State>, { path, host, taken }: Moved) {
    this.path = path
    this.host = host
    this.taken = taken
    this.method = request.method
    this.query = request.query
    this.minor = request.minor
    this.pass = request.pass
    this.withheld = request.withheld ?? ''
    this.bodyBytes = request.bodyBytes
    this.peer = request.peer
    this.certificate = request.certificate ?? null
    this.listener = request.listener
    this.outcome = request.outcome
    this.#request = request
    request.state = null
  }

  get bodyBytesMax(): number {
    return this.#request.bodyBytesMax
  }

  set bodyBytesMax(bytes: number) {
    this.#request.bodyBytesMax = bytes
  }

  get state(): State | null {
    return this.#request.state
  }

  set state(state: State | null) {
    this.#request.state = state
  }

  answer(status: number, fields: string, body: string | Uint8Array | KeptBytes): void {
    this.#request.answer(status, fields, body)
  }

  forward(upstream: Upstream, request: ForwardRequest): void {
    this.#request.forward(upstream, request)
  }

  stream(status: number, fields: string, writer: AnswerWriter, budget: ByteBudget): AnswerStream {
    return this.#request.stream(status, fields, writer, budget)
  }

  collect(
    bytesMax: number,
    budget: ByteBudget,
    done: (body: Uint8Array | null) => void,
    withinMs?: number,
  ): void {
    this.#request.collect(bytesMax, budget, done, withinMs)
  }

  watchBody(watch: BodyWatch): void {
    this.#request.watchBody(watch)
  }
}
