/**
 * An MCP server of 2026-07-28 that tells nobody when it changes which arguments travel in headers. Invariant: each call is counted under
 * the name of its tool before it is answered.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** `moved` wants the header that it lists. The others refuse each call: at once, after a word of progress, with status 200. */
export const HEADER_TOOLS = ['moved', 'refuses', 'refuses_late', 'refuses_well'] as const

export interface HeaderOrigin extends AsyncDisposable {
  readonly url: string
  /** Tools of the calls that came, in order. */
  readonly calls: readonly string[]
  /** How often tools were listed. */
  readonly lists: number
  /** From now on the argument `region` travels in this header. */
  mark(header: string): void
}

const VERSION = '2026-07-28'
const MISMATCH = { code: -32020, message: 'Header mismatch' }

export async function startHeaderOrigin(): Promise<HeaderOrigin> {
  const calls: string[] = []
  let lists = 0
  let header = 'Region'

  function resultOf(method: string): object | null {
    const kept = { resultType: 'complete', ttlMs: 60_000, cacheScope: 'public' }
    if (method === 'server/discover')
      return {
        ...kept,
        supportedVersions: [VERSION],
        capabilities: { tools: {} },
        serverInfo: { name: 'headers' },
      }
    if (method !== 'tools/list') return null
    lists++
    const properties = { region: { type: 'string', 'x-mcp-header': header } }
    const inputSchema = { type: 'object', properties }
    return { ...kept, tools: HEADER_TOOLS.map((name) => ({ name, description: name, inputSchema })) }
  }

  async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    let body = ''
    for await (const piece of incoming.setEncoding('utf8')) body += piece
    const { id, method, params } = JSON.parse(body) as {
      id: unknown
      method: string
      params: { name: string; arguments?: { region?: string }; _meta: { progressToken?: unknown } }
    }
    const reply = (status: number, members: object): void => {
      outgoing.writeHead(status, { 'content-type': 'application/json' })
      outgoing.end(JSON.stringify({ jsonrpc: '2.0', id, ...members }))
    }
    const result = resultOf(method)
    if (result !== null) return reply(200, { result })
    if (method !== 'tools/call') return reply(404, { error: { code: -32601, message: 'Method not found' } })
    calls.push(params.name)
    const isRight = incoming.headers[`mcp-param-${header.toLowerCase()}`] === params.arguments?.region
    if (params.name === 'moved' && isRight)
      return reply(200, { result: { resultType: 'complete', content: [{ type: 'text', text: 'called' }] } })
    if (params.name === 'refuses_well') return reply(200, { error: MISMATCH })
    if (params.name !== 'refuses_late') return reply(400, { error: MISMATCH })
    outgoing.writeHead(400, { 'content-type': 'text/event-stream' })
    const { progressToken } = params._meta
    const told = { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken, progress: 1 } }
    outgoing.write(`data: ${JSON.stringify(told)}\n\n`)
    outgoing.end(`data: ${JSON.stringify({ jsonrpc: '2.0', id, error: MISMATCH })}\n\n`)
  }

  const http = createServer((incoming, outgoing) => {
    answer(incoming, outgoing).catch((error: unknown) => outgoing.destroy(error as Error))
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    calls,
    get lists() {
      return lists
    },
    mark(name) {
      header = name
    },
    async [Symbol.asyncDispose]() {
      http.closeAllConnections()
      http.close()
      await once(http, 'close')
    },
  }
}
