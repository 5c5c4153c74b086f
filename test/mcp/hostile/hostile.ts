/**
 * An MCP server that misbehaves as it is told: by the name of a tool, or by an option for any method. It knows the protocol
 * well enough to be accepted in both eras, and is written on `node:http` alone, because no SDK sends such answers.
 * Invariants: a request that no behaviour is chosen for gets an honest answer; each request is recorded before it is answered.
 */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { BEHAVIOURS, type BehaviourName } from './behaviours.ts'
import { CATALOGUES, type CatalogueName } from './catalogues.ts'
import { type Exchange, sendJson } from './exchange.ts'

export interface HostileOptions {
  /** A server of one era refuses requests of the other as such servers do. Default `dual`. */
  readonly eras?: 'dual' | 'legacy' | 'modern'
  /** What `tools/list` answers. Default `behaviours`. */
  readonly catalogue?: CatalogueName
  /** The behaviour for a JSON-RPC method, or for `GET` and `DELETE`. It goes before that of a tool name. */
  readonly on?: Readonly<Record<string, BehaviourName>>
  /** Where redirects lead. Default: the origin itself. */
  readonly redirectTo?: string
  /** Bytes of large answers; a bomb unpacks to 16 times as many. Default 64 MiB. */
  readonly largeBytes?: number
  /** Between the bytes of a slow answer, milliseconds. Default 20. */
  readonly slowMs?: number
}

export interface HostileRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly rpcMethod: string | null
}

export interface HostileOrigin extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly requests: readonly HostileRequest[]
  /** Open connections. */
  readonly connections: number
  /** Connections since the start. */
  readonly connectionsOpened: number
  /** Bytes that were handed to the system since the start, for how much was taken of what never ends. */
  readonly bytesSent: number
  /** Changes the behaviour for a method; null: honest again. */
  on(rpcMethod: string, behaviour: BehaviourName | null): void
  /** Changes what `tools/list` answers, and tells nobody. */
  list(catalogue: CatalogueName): void
}

const MODERN = '2026-07-28'
const LEGACY = '2025-11-25'
const SESSION = 'hostile-session'
/** The name of a tool begins so when the rest is that of a behaviour. */
const PREFIX = 'hostile_'
const PAGE_URI = 'hostile://page'
const INFO = { name: 'hostile', version: '0' }

export async function startHostileOrigin(options: HostileOptions = {}): Promise<HostileOrigin> {
  const { eras = 'dual', largeBytes = 64 * 1024 * 1024, slowMs = 20 } = options
  const chosen = new Map<string, BehaviourName>(Object.entries(options.on ?? {}))
  let catalogue: CatalogueName = options.catalogue ?? 'behaviours'
  const requests: HostileRequest[] = []
  const sockets = new Set<Socket>()
  let connectionsOpened = 0
  let bytesOfClosed = 0
  let url = ''

  async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    let body = ''
    incoming.setEncoding('utf8')
    for await (const piece of incoming) body += piece
    const message = messageIn(body)
    const { method: httpMethod = '', url: path = '', headers } = incoming
    const rpcMethod = typeof message?.method === 'string' ? message.method : null
    requests.push({ method: httpMethod, path, headers, body, rpcMethod })
    const params = message?.params ?? {}
    const isModern = '_meta' in params && MODERN_KEY in ((params['_meta'] ?? {}) as object)
    const exchange: Exchange = {
      id: message?.id,
      rpcMethod: rpcMethod ?? httpMethod,
      params,
      isModern,
      out: outgoing,
      self: url,
      redirectTo: options.redirectTo ?? url,
      largeBytes,
      slowMs,
      honest: honestResult(rpcMethod, params, isModern),
    }
    const behaviour = chosen.get(exchange.rpcMethod) ?? behaviourOfTool(rpcMethod, params)
    if (behaviour !== null) return BEHAVIOURS[behaviour].answer(exchange)
    honest(exchange, httpMethod)
  }

  function honest(exchange: Exchange, httpMethod: string): void {
    const { id, rpcMethod, isModern, out, params } = exchange
    const respond = (members: object, status = 200): void =>
      sendJson(exchange, { jsonrpc: '2.0', id: id ?? null, ...members }, status)
    if (httpMethod !== 'POST') out.writeHead(httpMethod === 'DELETE' ? 200 : 405).end()
    else if (id === undefined) out.writeHead(202).end()
    else if (isModern && eras === 'legacy')
      respond({ error: { code: -32_000, message: 'Bad Request: no session' } }, 400)
    else if (!isModern && eras === 'modern') {
      const data = { supported: [MODERN], requested: LEGACY }
      respond({ error: { code: -32_022, message: 'Unsupported protocol version', data } }, 400)
    } else if (rpcMethod === 'tools/list') {
      const listed = CATALOGUES[catalogue](params['cursor'] as string | undefined)
      if (typeof listed !== 'string') respond({ result: { ...exchange.honest, ...listed } })
      else sendJson(exchange, `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${listed}}`)
    } else {
      if (rpcMethod === 'initialize') out.setHeader('mcp-session-id', SESSION)
      respond({ result: exchange.honest })
    }
  }

  const server = createServer((incoming, outgoing) => {
    answer(incoming, outgoing).catch(() => outgoing.destroy())
  })
  server.on('connection', (socket) => {
    connectionsOpened += 1
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      bytesOfClosed += socket.bytesWritten
      sockets.delete(socket)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  url = `http://127.0.0.1:${port}/mcp`
  return {
    url,
    port,
    requests,
    get connections() {
      return sockets.size
    },
    get connectionsOpened() {
      return connectionsOpened
    },
    get bytesSent() {
      return [...sockets].reduce((sum, { bytesWritten }) => sum + bytesWritten, bytesOfClosed)
    },
    on: (rpcMethod, behaviour) => {
      if (behaviour === null) chosen.delete(rpcMethod)
      else chosen.set(rpcMethod, behaviour)
    },
    list: (name) => {
      catalogue = name
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

const MODERN_KEY = 'io.modelcontextprotocol/protocolVersion'

interface Message {
  readonly id?: unknown
  readonly method?: unknown
  readonly params?: Readonly<Record<string, unknown>>
}

function messageIn(body: string): Message | null {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null
  } catch {
    return null
  }
}

function behaviourOfTool(
  rpcMethod: string | null,
  params: Readonly<Record<string, unknown>>,
): BehaviourName | null {
  const name = String(params['name'] ?? '')
  if (rpcMethod !== 'tools/call' || !name.startsWith(PREFIX)) return null
  const rest = name.slice(PREFIX.length)
  return Object.hasOwn(BEHAVIOURS, rest) ? (rest as BehaviourName) : null
}

function honestResult(
  rpcMethod: string | null,
  params: Readonly<Record<string, unknown>>,
  isModern: boolean,
): object {
  const complete = isModern
    ? { resultType: 'complete', _meta: { 'io.modelcontextprotocol/serverInfo': INFO } }
    : {}
  const cached = isModern ? { ...complete, ttlMs: 0, cacheScope: 'private' } : {}
  const capabilities = { tools: { listChanged: true }, prompts: {}, resources: {}, logging: {} }
  if (rpcMethod === 'server/discover') return { ...cached, supportedVersions: [MODERN], capabilities }
  if (rpcMethod === 'initialize') return { protocolVersion: LEGACY, capabilities, serverInfo: INFO }
  if (rpcMethod === 'tools/list') return cached
  if (rpcMethod === 'prompts/list') return { ...cached, prompts: [{ name: 'greet' }] }
  if (rpcMethod === 'resources/list') return { ...cached, resources: [{ uri: PAGE_URI, name: 'page' }] }
  if (rpcMethod === 'resources/templates/list') return { ...cached, resourceTemplates: [] }
  if (rpcMethod === 'prompts/get')
    return { ...complete, messages: [{ role: 'user', content: { type: 'text', text: 'Hello' } }] }
  if (rpcMethod === 'resources/read') return { ...cached, contents: [{ uri: PAGE_URI, text: 'Hello' }] }
  if (rpcMethod !== 'tools/call') return complete
  return { ...complete, content: [{ type: 'text', text: JSON.stringify(params['arguments'] ?? {}) }] }
}
