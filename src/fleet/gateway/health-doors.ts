/**
 * `/healthz`, `/readyz` and `/metrics`, answered from memory: they also work without a store and without the control plane.
 */
import { isLoopbackHost } from '../../base/net/address.ts'
import { PROBLEMS, type RefusalCode, refuse, toProblem } from '../../base/refusal.ts'
import type { Exchange } from '../../gateway/exchange.ts'
import type { Gateway } from '../../gateway/gateway.ts'
import { cameByProxy, fieldValue } from '../../gateway/request-headers.ts'
import { EXPOSITION_TYPES, type ExpositionFormat, expositionFormatOf } from '../../record/exposition.ts'
import type { Incoming } from '../../wire/port.ts'
import { type Readiness, readinessOf } from '../shared/readiness.ts'
import { LISTENERS } from './router.ts'

export interface HealthDoorsOptions {
  readonly answers: OwnAnswers
  readonly requestIds: () => string
  /** See HEALTH in fleet/shared/messages. */
  readonly health: Int32Array
  readonly gateway: Pick<Gateway, 'ready' | 'snapshot' | 'trace'>
  readonly metricsPage: (format: ExpositionFormat, readiness: Readiness) => string
  /** Asks the control plane, which may let other callers read metrics. */
  readonly toControl: (incoming: Incoming<Exchange>) => void
}

export interface HealthDoors {
  /** Alive, and ready to serve. */
  readonly health: (incoming: Incoming<Exchange>) => void
  readonly metrics: (incoming: Incoming<Exchange>) => void
}

export function createHealthDoors(options: HealthDoorsOptions): HealthDoors {
  const { answers, requestIds, gateway } = options
  const readiness = (): Readiness =>
    readinessOf(options.health, gateway.ready, gateway.snapshot.faults.length)

  /** OwnAnswers any other method. */
  function isRead(incoming: Incoming<Exchange>): boolean {
    const { method, path } = incoming
    if (method === 'GET' || method === 'HEAD') return true
    answers.problem(incoming, 'method_not_allowed', `${path} answers GET.`, 'Allow: GET, HEAD\r\n')
    return false
  }

  /**
   * True for a caller on this machine that asks for it by a loopback name: a page that a browser there shows under a name of
   * its own is none, and neither is a proxy on this machine, which may speak for anyone.
   */
  function isLocal(incoming: Incoming<Exchange>): boolean {
    if (cameByProxy(incoming)) return false
    return isLoopbackHost(gateway.trace(incoming).ip) && isLoopbackHost(incoming.host.replace(/:\d+$/, ''))
  }

  return {
    health(incoming) {
      if (!isRead(incoming)) return
      if (incoming.path === '/healthz') {
        answers.json(incoming, 200, 'application/health+json', requestIds(), { status: 'pass' })
        return
      }
      const { faults, revision } = gateway.snapshot
      const { ready, status, ...facts } = readiness()
      answers.json(incoming, ready ? 200 : 503, 'application/health+json', requestIds(), {
        status,
        revision,
        ...facts,
        // What fails closed and why; the control listener is the operator's.
        ...(incoming.listener === LISTENERS.control ? { faults } : { faults: faults.length }),
      })
    },
    metrics(incoming) {
      if (!isLocal(incoming)) return options.toControl(incoming)
      if (!isRead(incoming)) return
      const format = expositionFormatOf(fieldValue(incoming.pass, 'accept') ?? '')
      const page = options.metricsPage(format, readiness())
      const fields = `Content-Type: ${EXPOSITION_TYPES[format]}\r\nX-Request-ID: ${requestIds()}\r\nCache-Control: no-store\r\n`
      incoming.answer(200, fields, page)
    },
  }
}

// Responses that a gateway thread makes itself at reserved paths.

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
