import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { answer, answerProblem, Problem, readObject } from './answers.ts'
import { sendLive } from './live.ts'
import { createShop, type Shop } from './shop.ts'
import { sendEvents, sendReport, whileReading } from './streams.ts'

/** Answers kept for repeated `Idempotency-Key`s. */
const KEYS_MAX = 1000
/** The API is served at the root and below /api, where its description says it is. */
const PREFIX = /^\/api\//
const SLOW_MS_MAX = 60_000
const ROWS_MAX = 10_000_000

export interface OrdersService {
  /** Such as `http://127.0.0.1:9000`; the API is below `/v1` and below `/api/v1`. */
  readonly url: string
  readonly port: number
  /** Requests that arrived since the start. */
  readonly requests: () => number
  /** Goes down: open connections are cut and new ones refused. The state is kept. */
  stop(): Promise<void>
  /** Comes up again on the same port. */
  start(): Promise<void>
  /** Goes down for good. */
  close(): Promise<void>
}

/** An idempotent answer: the same key and body give the same answer again. */
interface Replay {
  readonly request: string
  readonly status: number
  readonly body: unknown
}

/**
 * The sample upstream: orders and payments in memory, as `openapi.yaml` beside this file describes it. It
 * authenticates nobody; `/v1/whoami` shows which headers arrived.
 *
 * @param options `port` 0 picks a free one; `host` is the address to listen on
 */
export async function createOrdersService(
  options: { readonly port?: number; readonly host?: string } = {},
): Promise<OrdersService> {
  const host = options.host ?? '127.0.0.1'
  const shop = createShop()
  const replays = new Map<string, Replay>()
  /** WebSockets, which the server itself no longer knows. */
  const opened = new Set<Duplex>()
  let requests = 0
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    requests++
    route(shop, replays, request, response).catch((error: unknown) => {
      if (response.headersSent || response.destroyed) response.destroy()
      else answerProblem(response, error)
    })
  }
  const upgrade = (request: IncomingMessage, socket: Duplex): void => {
    requests++
    opened.add(socket)
    socket.once('close', () => opened.delete(socket))
    live(request, socket).catch(() => socket.destroy())
  }
  let server = await listen(handle, upgrade, options.port ?? 0, host)
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the service listens on a TCP port')
  const { port } = address

  const stop = async (): Promise<void> => {
    if (!server.listening) return
    const closed = new Promise<void>((done) => server.close(() => done()))
    server.closeAllConnections()
    for (const socket of opened) socket.destroy()
    await closed
  }
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    requests: () => requests,
    stop,
    async start() {
      if (!server.listening) server = await listen(handle, upgrade, port, host)
    },
    close: stop,
  }
}

function listen(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
  upgrade: (request: IncomingMessage, socket: Duplex) => void,
  port: number,
  host: string,
): Promise<Server> {
  const server = createServer({ shouldUpgradeCallback: isLive }, handle)
  server.on('upgrade', upgrade)
  return new Promise((done, fail) => {
    server.once('error', fail)
    server.listen(port, host, () => {
      server.off('error', fail)
      done(server)
    })
  })
}

async function route(
  shop: Shop,
  replays: Map<string, Replay>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname, searchParams: query } = targetOf(request)
  const method = request.method === 'HEAD' ? 'GET' : request.method
  const [, version, resource, id, more] = pathname.replace(PREFIX, '/').split('/').map(decodeURIComponent)
  if (version !== 'v1' || more !== undefined) throw notFound(pathname)

  const cancelled = /^(.+):cancel$/.exec(id ?? '')?.[1]
  switch (
    `${method} ${resource}${id === undefined ? '' : cancelled === undefined ? '/{id}' : '/{id}:cancel'}`
  ) {
    case 'GET orders':
      return answer(
        response,
        200,
        shop.list(query.get('status'), numberOf(query, 'limit', 20, 1, 100), query.get('cursor')),
      )
    case 'POST orders':
      return once(replays, request, response, (body) => shop.create(body))
    case 'GET orders/{id}':
      return answer(response, 200, shop.get(id!))
    case 'POST orders/{id}:cancel':
      return answer(response, 200, shop.cancel(cancelled!))
    case 'POST payments':
      return once(replays, request, response, (body) => shop.pay(body))
    case 'GET payments/{id}':
      return answer(response, 200, shop.payment(id!))
    case 'GET whoami':
      return answer(response, 200, { method: request.method, target: request.url, headers: request.headers })
    case 'GET slow': {
      const ms = numberOf(query, 'ms', 1000, 0, SLOW_MS_MAX)
      await wait(ms, undefined, { signal: whileReading(response) })
      return answer(response, 200, { waited_ms: ms })
    }
    case 'GET events':
      return sendEvents(
        response,
        numberOf(query, 'count', 10, 1, 1000),
        numberOf(query, 'every_ms', 100, 0, 10_000),
      )
    case 'GET live':
      throw new Problem(426, 'Upgrade required', 'It is a WebSocket.')
    case 'GET reports/{id}':
      return sendReport(
        response,
        id!.replace(/[^A-Za-z0-9_-]/g, '_'),
        numberOf(query, 'rows', 1000, 1, ROWS_MAX),
      )
    default:
      throw notFound(pathname)
  }
}

function isLive(request: IncomingMessage): boolean {
  const [path] = (request.url ?? '').split('?')
  const isSocket = request.headers.upgrade?.toLowerCase() === 'websocket'
  return isSocket && request.method === 'GET' && path!.replace(PREFIX, '/') === '/v1/live'
}

async function live(request: IncomingMessage, socket: Duplex): Promise<void> {
  const { searchParams: query } = targetOf(request)
  await sendLive(
    request,
    socket,
    numberOf(query, 'count', 10, 1, 1000),
    numberOf(query, 'every_ms', 100, 0, 10_000),
  )
}

function targetOf(request: IncomingMessage): URL {
  try {
    const url = new URL(request.url ?? '/', 'http://orders.invalid')
    decodeURIComponent(url.pathname)
    return url
  } catch {
    throw new Problem(400, 'Malformed target', 'The request target is not a URL.')
  }
}

function notFound(path: string): Problem {
  return new Problem(404, 'Not found', `Nothing answers ${path.slice(0, 100)}.`)
}

function numberOf(query: URLSearchParams, name: string, fallback: number, min: number, max: number): number {
  const text = query.get(name)
  if (text === null) return fallback
  const value = Number(text)
  if (!/^\d{1,9}$/.test(text) || value < min || value > max)
    throw new Problem(422, 'Parameter invalid', `${name} is a whole number from ${min} to ${max}.`)
  return value
}

/** Creates at most once per `Idempotency-Key`: a repeat gets the first answer, another body under the key 409. */
async function once(
  replays: Map<string, Replay>,
  request: IncomingMessage,
  response: ServerResponse,
  create: (body: Readonly<Record<string, unknown>>) => { readonly id: string },
): Promise<void> {
  const body = await readObject(request)
  const key = request.headers['idempotency-key']
  const asked = `${request.url} ${JSON.stringify(body)}`
  const known = typeof key === 'string' ? replays.get(key) : undefined
  if (known !== undefined) {
    if (known.request !== asked)
      throw new Problem(409, 'Key used', 'The Idempotency-Key belongs to another request.')
    return answer(response, known.status, known.body, { 'idempotent-replay': 'true' })
  }
  const created = create(body)
  if (typeof key === 'string') {
    replays.set(key, { request: asked, status: 201, body: { ...created } })
    if (replays.size > KEYS_MAX) replays.delete(replays.keys().next().value!)
  }
  return answer(response, 201, created, { location: `${request.url}/${created.id}` })
}
