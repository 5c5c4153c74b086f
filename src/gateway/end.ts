import type { CallResult, ForwardRequest, Upstream } from '../wire/port.ts'
import type { Exchange } from './exchange.ts'
import type { CheckRow } from './stages.ts'

/**
 * Where the answer to an exchange goes: the socket of a caller, or a call from within the process. The rest of a
 * request's life is the same for both, see `run.ts`.
 */
export interface End {
  /** The checks of its door, in order. */
  readonly checks: readonly CheckRow[]
  /** Sends the request on and streams the answer back; null where every answer is gathered. */
  readonly stream: ((exchange: Exchange, upstream: Upstream, request: ForwardRequest) => void) | null
  /** Bytes of a gathered answer that are kept. */
  readonly keepBytesMax: number
  /** Bytes of a gathered answer that are read before the call is cut off. */
  readonly readBytesMax: number
  /** Only a whole answer may be passed on: a longer one than is kept is refused. */
  readonly isWholeOnly: boolean
  /** Gives the caller an answer that the gateway has made. */
  answer(exchange: Exchange, status: number, fields: string, body: string | Uint8Array): void
  /** Gives the caller the gathered answer of the upstream. */
  pass(exchange: Exchange, answer: GatheredAnswer): void
}

/** An answer of the upstream that is at hand, the whole of it unless `truncated`. */
export type GatheredAnswer = Extract<CallResult, { ok: true }>
