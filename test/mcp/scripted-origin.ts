/**
 * An MCP server of 2025-11-25 with sessions whose one tool, `work`, does what a test says with the bytes of its answer. What SDKs would
 * never send can be sent with it.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

type Content = Readonly<Record<string, unknown>>

/** One call of the tool. */
export interface Work {
  /** Of the request. */
  readonly id: unknown
  readonly given: Content
  /** The answer, a stream of events that has begun. */
  readonly out: ServerResponse
  /** Sends a message on it. */
  say(message: Content): void
  /** Puts a form to the client. */
  askForm(id: string, message?: string): void
  /** Ends the call. */
  end(text: string): void
}

export interface ScriptedOrigin extends AsyncDisposable {
  readonly url: string
  /** Messages that were posted, in their order. */
  readonly posted: readonly Content[]
  /** How many of a method were posted. */
  count(method: string): number
  /** Streams of sessions that are open. */
  readonly streams: ReadonlySet<ServerResponse>
}

/**
 * @param work does a call of the tool. @param replied told of each response of the client
 * @param hasStreams sessions have a stream, on which the server tells of changed tools
 */
export async function startScriptedOrigin(
  work: (work: Work) => void,
  replied: (id: unknown, response: Content) => void = () => {},
  hasStreams = false,
): Promise<ScriptedOrigin> {
  const posted: Content[] = []
  const streams = new Set<ServerResponse>()
  let sessions = 0

  function begin(out: ServerResponse, { id, params }: Content): void {
    out.writeHead(200, { 'content-type': 'text/event-stream' })
    const say = (message: Content): void =>
      void out.write(`data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`)
    const requestedSchema = { type: 'object', properties: {} }
    work({
      id,
      given: ((params as Content)['arguments'] ?? {}) as Content,
      out,
      say,
      askForm: (asked, message = 'Which?') =>
        say({ id: asked, method: 'elicitation/create', params: { message, requestedSchema } }),
      end(text) {
        say({ id, result: { content: [{ type: 'text', text }] } })
        out.end()
      },
    })
  }

  function answer(out: ServerResponse, message: Content): unknown {
    const json = (result: object, headers = {}): unknown =>
      out
        .writeHead(200, { 'content-type': 'application/json', ...headers })
        .end(JSON.stringify({ jsonrpc: '2.0', id: message['id'], result }))
    switch (message['method']) {
      case 'initialize': {
        const serverInfo = { name: 'scripted', version: '1' }
        const told = {
          protocolVersion: '2025-11-25',
          capabilities: { tools: { listChanged: hasStreams } },
          serverInfo,
        }
        return json(told, { 'mcp-session-id': `session-${++sessions}` })
      }
      case 'tools/list':
        return json({ tools: [{ name: 'work', inputSchema: { type: 'object' } }] })
      case 'tools/call':
        return begin(out, message)
      default:
        if (message['method'] === undefined) replied(message['id'], message)
        return out.writeHead(message['method'] === 'server/discover' ? 400 : 202).end()
    }
  }

  const server = createServer((incoming: IncomingMessage, out: ServerResponse) => {
    if (incoming.method === 'GET' && hasStreams) {
      streams.add(out.writeHead(200, { 'content-type': 'text/event-stream' }))
      out.once('close', () => streams.delete(out)).write(': open\n\n')
      return
    }
    if (incoming.method !== 'POST') {
      out.writeHead(405).end()
      return
    }
    let text = ''
    incoming.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
    })
    incoming.on('end', () => {
      const message = JSON.parse(text) as Content
      posted.push(message)
      answer(out, message)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    posted,
    streams,
    count: (method) => posted.filter((message) => message['method'] === method).length,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
