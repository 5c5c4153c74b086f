/**
 * An MCP server of one era that wants to know whose account each request is for, as servers with OAuth do. It offers one item of each type,
 * all of which answer whose account it was.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Era } from './raw-client.ts'

type Members = Readonly<Record<string, unknown>>

/** A request that came. */
export interface AccountRequest {
  /** Of MCP; for a request without a message, that of HTTP. */
  readonly method: string
  /** Null for a request without a token that holds. */
  readonly account: string | null
  readonly token: string | null
  readonly session: string | null
  readonly params: Members
}

export interface AccountOrigin extends AsyncDisposable {
  readonly url: string
  readonly requests: readonly AccountRequest[]
  /** Takes a token for an account from now on. */
  accept(token: string, account: string): void
  /** Takes it no longer. */
  refuse(token: string): void
  forgetRequests(): void
  /** Tells streams that the resource has changed. @returns accounts of those that were told */
  touch(): readonly string[]
}

const VERSION = '2026-07-28'
const ME = 'note://me'
const KEPT = { resultType: 'complete', ttlMs: 0, cacheScope: 'private' }
const LISTS: Readonly<Record<string, object>> = {
  'tools/list': {
    tools: ['whoami', 'wait'].map((name) => ({ name, inputSchema: { type: 'object' } })),
  },
  'prompts/list': { prompts: [{ name: 'greet', arguments: [{ name: 'who' }] }] },
  'resources/list': { resources: [{ name: 'me', uri: ME }] },
  'resources/templates/list': { resourceTemplates: [] },
}

/** @param isOpen it lists what it has without a token */
export async function startAccountOrigin(era: Era, isOpen = false): Promise<AccountOrigin> {
  const requests: AccountRequest[] = []
  const accounts = new Map<string, string>()
  const sessions = new Map<string, string>()
  let opening = 0
  const streams = new Map<ServerResponse, { readonly account: string; readonly listen: unknown }>()

  const isFree = (method: string): boolean =>
    isOpen &&
    (/^(server\/discover|initialize|notifications\/initialized|DELETE)$/.test(method) || method in LISTS)

  function resultOf(method: string, params: Members, account: string): object | null {
    const list = LISTS[method]
    if (list !== undefined) return { ...KEPT, ...list }
    const content = { type: 'text', text: account }
    switch (method) {
      case 'tools/call':
        return params['name'] === 'wait' && params['requestState'] === undefined
          ? { resultType: 'input_required', requestState: 'of the origin' }
          : { resultType: 'complete', content: [content] }
      case 'prompts/get':
        return { resultType: 'complete', messages: [{ role: 'user', content }] }
      case 'resources/read':
        return { ...KEPT, contents: [{ uri: ME, text: account }] }
      case 'completion/complete':
        return { resultType: 'complete', completion: { values: [account] } }
      default:
        return null
    }
  }

  const CAPABILITIES = {
    tools: { listChanged: true },
    prompts: {},
    resources: { subscribe: true },
    completions: {},
  }

  function answer(out: ServerResponse, request: AccountRequest, id: unknown): unknown {
    const { method, params, account, session } = request
    const reply = (members: object, status = 200, fields = {}): unknown =>
      out
        .writeHead(status, { 'content-type': 'application/json', ...fields })
        .end(JSON.stringify({ jsonrpc: '2.0', id, ...members }))
    if (account === null && !isFree(method))
      return out.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end()
    const serverInfo = { name: 'accounts', version: '1' }
    if (era === 'legacy') {
      if (method === 'server/discover') return out.writeHead(400).end()
      if (method === 'initialize') {
        const opened = `session-${++opening}`
        sessions.set(opened, account ?? '')
        const told = { protocolVersion: '2025-11-25', capabilities: CAPABILITIES, serverInfo }
        return reply({ result: told }, 200, { 'mcp-session-id': opened })
      }
      // A session of somebody else
      if (sessions.get(session ?? '') !== (account ?? '')) return out.writeHead(403).end()
      if (method === 'DELETE') return out.writeHead(sessions.delete(session!) ? 204 : 404).end()
      if (method === 'resources/subscribe') return reply({ result: {} })
      if (method === 'GET') {
        streams.set(out, { account: account!, listen: null })
        return out.writeHead(200, { 'content-type': 'text/event-stream' }).write(': open\n\n')
      }
    } else if (method === 'server/discover') {
      const _meta = { 'io.modelcontextprotocol/serverInfo': serverInfo }
      return reply({ result: { ...KEPT, supportedVersions: [VERSION], capabilities: CAPABILITIES, _meta } })
    } else if (method === 'subscriptions/listen') {
      streams.set(out, { account: account!, listen: id })
      out.writeHead(200, { 'content-type': 'text/event-stream' })
      const acknowledged = { notifications: params['notifications'], _meta: ofListen(id) }
      return say(out, 'notifications/subscriptions/acknowledged', acknowledged)
    }
    if (id === undefined) return out.writeHead(202).end()
    const result = resultOf(method, params, account ?? '')
    if (result === null) return reply({ error: { code: -32601, message: 'Method not found' } }, 404)
    return reply({ result })
  }

  async function take(incoming: IncomingMessage, out: ServerResponse): Promise<void> {
    let body = ''
    for await (const piece of incoming.setEncoding('utf8')) body += piece
    const {
      method,
      params = {},
      id,
    } = (body === '' ? { method: incoming.method } : JSON.parse(body)) as {
      method: string
      params?: Members
      id?: unknown
    }
    const token = incoming.headers.authorization?.replace(/^Bearer /, '') ?? null
    const session = (incoming.headers['mcp-session-id'] as string | undefined) ?? null
    const account = accounts.get(token ?? '') ?? null
    const request = { method, account, token, session, params }
    requests.push(request)
    out.once('close', () => streams.delete(out))
    answer(out, request, id)
  }

  const http = createServer((incoming, out) => {
    take(incoming, out).catch((error: unknown) => out.destroy(error as Error))
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    requests,
    accept: (token, account) => void accounts.set(token, account),
    refuse: (token) => void accounts.delete(token),
    forgetRequests: () => void requests.splice(0),
    touch() {
      for (const [out, { listen }] of streams)
        say(out, 'notifications/resources/updated', {
          uri: ME,
          ...(listen === null ? {} : { _meta: ofListen(listen) }),
        })
      return [...streams.values()].map(({ account }) => account)
    },
    async [Symbol.asyncDispose]() {
      http.closeAllConnections()
      http.close()
      await once(http, 'close')
    },
  }
}

const ofListen = (id: unknown) => ({ 'io.modelcontextprotocol/subscriptionId': id })

function say(out: ServerResponse, method: string, params: object): void {
  out.write(`data: ${JSON.stringify({ jsonrpc: '2.0', method, params })}\n\n`)
}
