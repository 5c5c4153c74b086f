/** Responses that a gateway thread makes itself at reserved paths. */
import { PROBLEMS, type RefusalCode, refuse, toProblem } from '../../base/refusal.ts'
import type { Exchange } from '../../gateway/exchange.ts'
import type { Incoming } from '../../wire/port.ts'

/** Answers that a gateway thread makes itself at reserved paths. None is to be kept by a cache. */
export interface OwnAnswers {
  json(incoming: Incoming<Exchange>, status: number, type: string, requestId: string, body: unknown): void
  /** Also notes the code for the record. @param more further header lines */
  problem(incoming: Incoming<Exchange>, code: RefusalCode, detail: string, more?: string): void
}

export interface OwnAnswersOptions {
  readonly requestIds: () => string
  /** Header lines that let a page of another origin read a problem. */
  readonly corsLines: (incoming: Incoming<Exchange>) => string
}

export function createOwnAnswers({ requestIds, corsLines }: OwnAnswersOptions): OwnAnswers {
  function json(
    incoming: Incoming<Exchange>,
    status: number,
    type: string,
    requestId: string,
    body: unknown,
    more = '',
  ): void {
    const fields = `Content-Type: ${type}\r\nX-Request-ID: ${requestId}\r\nCache-Control: no-store\r\n${more}`
    incoming.answer(status, fields, JSON.stringify(body))
  }
  return {
    json,
    problem(incoming, code, detail, more = '') {
      if (incoming.state !== null) incoming.state.code = code
      const requestId = incoming.state?.requestId ?? requestIds()
      const problem = toProblem(refuse(code, { detail }), requestId)
      const lines = more + corsLines(incoming)
      json(incoming, PROBLEMS[code].status, 'application/problem+json', requestId, problem, lines)
    },
  }
}
