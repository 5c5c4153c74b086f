/**
 * An MCP server of SDK v1 on a free loopback port: Streamable HTTP with sessions, or HTTP+SSE as in revision 2024-11-05.
 * Invariants: a session is open from `initialize`, or from its stream, until the client ends it or the server forgets it;
 * each request is recorded before it is answered.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { createLegacyServer, type LegacyServer } from './legacy-server.ts'

export interface LegacyOptions {
  /** `sse` is HTTP+SSE: a GET opens the stream, whose first event names the URL to post to. Default `http`. */
  readonly transport?: 'http' | 'sse'
  /** Answers with one JSON object and drops notifications of the request. With `http` alone. Default false. */
  readonly isJson?: boolean
  /** Default: any free port. */
  readonly port?: number
}

export interface LegacyOrigin extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly requests: readonly { readonly method: string; readonly headers: IncomingHttpHeaders }[]
  /** Ids of the sessions that are open. */
  readonly sessions: ReadonlySet<string>
  readonly sessionsOpened: number
  /** Names of the tools whose call a client gave up, in order. */
  readonly cancelled: readonly string[]
  /** Adds a tool in every session, and in those to come; clients are notified. */
  addTool(name: string): void
  /** Tells subscribers of a resource that it has changed. */
  touch(uri: string): void
  /** Ends all sessions without a word to clients, as a restart does. */
  forgetSessions(): Promise<void>
}

interface Session extends LegacyServer {
  readonly transport: StreamableHTTPServerTransport | SSEServerTransport
}

export async function startLegacyOrigin(options: LegacyOptions = {}): Promise<LegacyOrigin> {
  const sessions = new Map<string, Session>()
  const requests: { method: string; headers: IncomingHttpHeaders }[] = []
  const cancelled: string[] = []
  let opened = 0
  const add = (id: string, session: Session): void => {
    sessions.set(id, session)
    opened += 1
  }
  const added: string[] = []
  const put = ({ server }: LegacyServer, name: string): void =>
    void server.registerTool(name, { description: 'Was added.' }, () => ({ content: [] }))
  const made = (): LegacyServer => {
    const legacy = createLegacyServer((name) => cancelled.push(name))
    for (const name of added) put(legacy, name)
    return legacy
  }

  async function streamable(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const id = incoming.headers['mcp-session-id']
    const known = sessions.get(String(id))?.transport
    if (known instanceof StreamableHTTPServerTransport) return known.handleRequest(incoming, outgoing)
    if (id !== undefined) {
      const error = { code: -32_001, message: 'Session not found' }
      outgoing.writeHead(404, { 'content-type': 'application/json' })
      outgoing.end(JSON.stringify({ jsonrpc: '2.0', id: null, error }))
      return
    }
    const legacy = made()
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      enableJsonResponse: options.isJson === true,
      onsessioninitialized: (opened) => add(opened, { ...legacy, transport }),
      onsessionclosed: async (closed) => {
        sessions.delete(closed)
        await legacy.close()
      },
    })
    // The SDK declares its own transport with optional members that its interface has without
    await legacy.server.connect(transport as Parameters<typeof legacy.server.connect>[0])
    await transport.handleRequest(incoming, outgoing)
  }

  async function stream(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(incoming.url!, 'http://localhost')
    if (incoming.method === 'GET' && pathname === '/sse') {
      const transport = new SSEServerTransport('/messages', outgoing)
      const legacy = made()
      add(transport.sessionId, { ...legacy, transport })
      outgoing.on('close', () => {
        sessions.delete(transport.sessionId)
        // Its stream is closed already: nothing is left to fail
        legacy.close().catch(() => {})
      })
      await legacy.server.connect(transport)
      return
    }
    const known = sessions.get(String(searchParams.get('sessionId')))?.transport
    if (incoming.method === 'POST' && pathname === '/messages' && known instanceof SSEServerTransport)
      return known.handlePostMessage(incoming, outgoing)
    // What such servers answer to a POST that looks for Streamable HTTP
    outgoing.writeHead(pathname === '/messages' || incoming.method === 'GET' ? 404 : 405).end()
  }

  const isStream = options.transport === 'sse'
  const http = createServer((incoming, outgoing) => {
    requests.push({ method: incoming.method!, headers: incoming.headers })
    const answer = isStream ? stream : streamable
    answer(incoming, outgoing).catch((error: unknown) => outgoing.destroy(error as Error))
  })
  http.listen(options.port ?? 0, '127.0.0.1')
  await once(http, 'listening')
  const { port } = http.address() as AddressInfo
  const forgetSessions = async (): Promise<void> => {
    const all = [...sessions.values()]
    sessions.clear()
    await Promise.all(all.map((session) => session.close()))
  }
  return {
    url: `http://127.0.0.1:${port}/${isStream ? 'sse' : 'mcp'}`,
    port,
    requests,
    get sessions() {
      return new Set(sessions.keys())
    },
    get sessionsOpened() {
      return opened
    },
    cancelled,
    addTool: (name) => {
      added.push(name)
      for (const session of sessions.values()) put(session, name)
    },
    touch: (uri) => {
      for (const session of sessions.values()) session.touch(uri)
    },
    forgetSessions,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections()
      http.close()
      await forgetSessions()
    },
  }
}
