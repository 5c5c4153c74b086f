/**
 * Sends a request whose body is at hand, and passes the answer on through the rules of the leg `response`: text, events and lines
 * piece by piece, JSON as a whole, other media types as they come. With a webhook among the rules, text, events and lines are judged as
 * a whole too.
 *
 * 1. No byte of the body is sent before all rules have let it pass.
 * 2. An answer that is blocked before its head is sent becomes 502 response_blocked. Later, the answer breaks off.
 */
import { ByteBuffer } from '../../base/memory/bytes.ts'
import { applyBinary, failed, type Stop } from '../../guardrails/apply.ts'
import { asks } from '../../guardrails/asked.ts'
import { bytesMaxOf, isEncoded } from '../../guardrails/content.ts'
import { createFilter, type Filter } from '../../guardrails/filter.ts'
import { contentOf, isOpaque } from '../../guardrails/media.ts'
import type { Chain } from '../../guardrails/rule.ts'
import { Tapped } from '../../wire/native/tapped.ts'
import {
  type AnswerHead,
  type AnswerReader,
  type AnswerStream,
  type AnswerWriter,
  FAILURE_CODES,
  type ForwardRequest,
  type StreamHandle,
  type Upstream,
  type UpstreamFailure,
} from '../../wire/port.ts'
import type { GatheredAnswer, Routed } from '../exchange.ts'
import { answerBudgetOf } from '../exchange-memory.ts'
import { fieldValue } from '../request-headers.ts'
import type { Life } from '../stage-types.ts'
import { PART, stopAnswer, withoutBodyFields } from './answer.ts'

/** True for an exchange whose request or answer cannot be passed on by the engine alone. */
export function isRelayed({ guard, end }: Routed): boolean {
  return guard !== null && end.open !== undefined && (guard.isBodyChanged || guard.rules.response !== null)
}

export function relay(exchange: Routed, upstream: Upstream, request: ForwardRequest, life: Life): void {
  const reader = new Relay(exchange, request, life)
  const body = exchange.bodyBytes === 0 ? null : exchange.body
  const sent = { ...request, body, responseFields: '', readBytesMax: Number.POSITIVE_INFINITY }
  reader.handle = upstream.stream(sent, reader)
  exchange.gathering = reader.handle
}

const NOTHING = Buffer.alloc(0)

class Relay implements AnswerReader, AnswerWriter {
  handle: StreamHandle | null = null
  readonly #exchange: Routed
  readonly #request: ForwardRequest
  readonly #life: Life
  readonly #chain: Chain | null
  #head: AnswerHead | null = null
  /** Header lines of the answer, without those of the gateway. */
  #fields = ''
  #filter: Filter | null = null
  /** Gathers the answer; null while it is passed on piece by piece. */
  #kept: ByteBuffer | null = null
  #tapped: Tapped | null = null
  #stream: AnswerStream | null = null
  #isOver = false

  constructor(exchange: Routed, request: ForwardRequest, life: Life) {
    this.#exchange = exchange
    this.#request = request
    this.#life = life
    this.#chain = exchange.guard!.rules.response
  }

  // What the upstream side says

  head(head: AnswerHead): void {
    this.#guarded(() => this.#begin(head))
  }

  piece(bytes: Buffer, from: number, to: number): boolean {
    let goesOn = true
    this.#guarded(() => {
      const piece = bytes.subarray(from, to)
      if (this.#kept !== null) this.#keep(this.#kept, piece)
      else goesOn = this.#pass(this.#filter === null ? piece : this.#filter.push(piece))
    })
    return goesOn
  }

  end(): void {
    this.#guarded(() => {
      this.#exchange.gathering = null
      if (this.#kept !== null) this.#give(this.#kept.whole(), false)
      else this.#finish(this.#filter === null ? NOTHING : this.#filter.end())
    })
  }

  failed(failure: UpstreamFailure, inner: string, upstreamAt: number): void {
    this.#guarded(() => {
      const exchange = this.#exchange
      exchange.gathering = null
      exchange.outcome.upstreamAt = upstreamAt
      this.#isOver = true
      if (this.#stream === null) this.#life.failed(exchange, FAILURE_CODES[failure], inner)
      else this.#stream.abort()
    })
  }

  // What the caller's side says

  drained(): void {
    this.handle?.resume()
  }

  draining(): void {
    // The answer goes on, as one that is forwarded does
  }

  gone(): void {
    this.#leave()
  }

  #begin(head: AnswerHead): void {
    const exchange = this.#exchange
    const { status, fields } = head
    this.#head = head
    this.#fields = fields
    const { outcome } = exchange
    outcome.upstreamAt = head.upstreamAt
    outcome.upstreamHeadAt = head.upstreamHeadAt
    outcome.upstreamStatus = status
    const chain = this.#chain
    const { kind, isUtf8 } = contentOf(fieldValue(fields, 'content-type'))
    const isBodiless = exchange.method === 'HEAD' || status === 204 || status === 304
    if (chain !== null && !isBodiless && isOpaque(kind)) {
      const unfit = applyBinary(chain, 'response', exchange.guard!.tally)
      if (unfit !== null) {
        this.#block(unfit)
        return
      }
    }
    if (chain !== null && !isBodiless && !isOpaque(kind)) {
      const isCoded = isEncoded(fieldValue(fields, 'content-encoding'))
      const isStream = kind === 'text' || kind === 'events' || kind === 'lines'
      const fault = faultOf(status, kind === 'events' && isCoded, isStream && !isUtf8)
      if (fault !== null) {
        const { stop } = failed(chain, null, 'response', exchange.guard!.tally, fault)
        if (stop !== null) {
          this.#block(stop)
          return
        }
      } else if (!isStream || isCoded || asks(chain)) {
        this.#kept = new ByteBuffer(answerBudgetOf(exchange))
        return
      } else this.#filter = createFilter(kind, chain, 'response', exchange.guard!.tally)
    }
    if (chain !== null && !isOpaque(kind)) this.#fields = withoutBodyFields(fields, chain)
    if (this.#isReplaced()) return
    // Callers wait for the head of a stream of events; other text may yet be blocked
    if (this.#filter === null || kind === 'events') this.#open()
  }

  /** True when a kept answer takes the place of this one. */
  #isReplaced(): boolean {
    const { tap } = this.#request
    if (tap == null) return false
    this.#tapped = new Tapped(tap)
    const other = this.#tapped.begin(this.#head!.status, this.#fields)
    if (other === null) return false
    this.#leave()
    this.#exchange.end.answer(this.#exchange, other.status, other.fields, other.body)
    return true
  }

  #keep(kept: ByteBuffer, piece: Buffer): void {
    if (!kept.add(piece, 0, piece.length)) {
      this.#leave()
      this.#give(NOTHING, true)
      return
    }
    const chain = this.#chain!
    if (kept.length <= bytesMaxOf(chain)) return
    const reason = 'the content is longer than max_body'
    const { stop } = failed(chain, null, 'response', this.#exchange.guard!.tally, reason)
    if (stop !== null) this.#block(stop)
    else {
      const bytes = kept.whole()
      this.#kept = null
      if (this.#isReplaced()) return
      this.#open()
      this.#pass(bytes)
    }
  }

  /** Passes a part on. False asks for a pause. */
  #pass(bytes: Buffer): boolean {
    if (this.#isBlocked()) return false
    if (bytes.length === 0) return true
    if (this.#stream === null) this.#open()
    this.#tapped?.piece(bytes, 0, bytes.length, false)
    return this.#stream!.write(bytes)
  }

  #finish(rest: Buffer): void {
    if (this.#isBlocked()) return
    this.#isOver = true
    this.#tapped?.piece(rest, 0, rest.length, true)
    if (this.#stream === null) this.#exchange.end.pass(this.#exchange, this.#answer(rest, false))
    else {
      if (rest.length > 0) this.#stream.write(rest)
      this.#stream.end()
    }
  }

  /** Hands a gathered answer over to the rows that judge it, the rules among them. */
  #give(body: Uint8Array, isUnheld: boolean): void {
    this.#isOver = true
    this.#life.answered(this.#exchange, this.#request, this.#answer(body, isUnheld))
  }

  #answer(body: Uint8Array, isUnheld: boolean): GatheredAnswer {
    const { status, upstreamAt, upstreamHeadAt } = this.#head!
    return {
      ok: true,
      status,
      fields: this.#fields + this.#request.responseFields,
      body,
      bodyBytes: body.length,
      truncated: false,
      isUnheld,
      upstreamAt,
      upstreamHeadAt,
    }
  }

  #open(): void {
    const fields = this.#fields + this.#request.responseFields
    this.#stream = this.#exchange.end.open!(this.#exchange, this.#head!.status, fields, this)
  }

  #isBlocked(): boolean {
    const stop = this.#filter?.stop ?? null
    if (stop !== null && !this.#isOver) this.#block(stop)
    return stop !== null
  }

  #block(stop: Stop): void {
    const exchange = this.#exchange
    this.#leave()
    const code = stopAnswer(exchange, stop)
    if (this.#stream === null) this.#life.failed(exchange, code, exchange.reason)
    else {
      exchange.code = code
      exchange.check = 'answer'
      this.#stream.abort()
    }
  }

  /** Gives the answer of the upstream up. */
  #leave(): void {
    this.#isOver = true
    this.handle?.abort()
    this.#exchange.gathering = null
  }

  /** Called from events of sockets: a throw there would leave the caller without an answer. */
  #guarded(work: () => void): void {
    if (this.#isOver) return
    const exchange = this.#exchange
    try {
      work()
    } catch (error) {
      exchange.lane.fault(error)
      this.#leave()
      if (this.#stream === null) this.#life.failed(exchange, 'internal_error', 'fault')
      else this.#stream.abort()
    }
  }
}

/** Why an answer cannot be looked at while it passes; null when it can. */
function faultOf(status: number, isCodedStream: boolean, isOtherCharset: boolean): string | null {
  if (status === 206) return PART
  if (isCodedStream) return 'the stream of events is compressed'
  return isOtherCharset ? 'the charset of the content is not UTF-8' : null
}
