import { randomUUID } from 'node:crypto'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { z } from 'zod'

/** A server of the official SDK over Streamable HTTP, with sessions. Its tool `add` tells of its progress first. */
export interface SdkServer extends AsyncDisposable {
  readonly url: string
  /** Headers of each request. */
  readonly seen: { readonly method: string; readonly headers: IncomingHttpHeaders }[]
  /** Ids of the sessions that are open. */
  readonly sessions: ReadonlySet<string>
  /** Tells every session, on the stream that it listens to, that there is another tool. */
  addTool(): void
}

/** @param about title and description of its tool */
export async function startSdkServer(
  about: { readonly title?: string; readonly description?: string } = {},
): Promise<SdkServer> {
  const transports = new Map<string, StreamableHTTPServerTransport>()
  const servers = new Set<McpServer>()
  const seen: SdkServer['seen'] = []
  const open = async (): Promise<StreamableHTTPServerTransport> => {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => {
        transports.set(id, transport)
      },
      onsessionclosed: (id) => {
        transports.delete(id)
      },
    })
    const server = new McpServer({ name: 'sums', version: '1' })
    server.registerTool(
      'add',
      { ...about, inputSchema: { a: z.number(), b: z.number() } },
      async ({ a, b }, extra) => {
        const progressToken = extra._meta?.progressToken
        if (progressToken !== undefined)
          await extra.sendNotification({
            method: 'notifications/progress',
            params: { progressToken, progress: 1 },
          })
        return { content: [{ type: 'text', text: String(a + b) }] }
      },
    )
    // The SDK declares its own transport in a way that exactOptionalPropertyTypes rejects.
    await server.connect(transport as Parameters<typeof server.connect>[0])
    servers.add(server)
    return transport
  }
  const http = createServer((request, response) => {
    const { method = '', headers } = request
    seen.push({ method, headers })
    const take = async (): Promise<void> => {
      const known = transports.get(String(headers['mcp-session-id']))
      await (known ?? (await open())).handleRequest(request, response)
    }
    take().catch((error: unknown) => response.destroy(error as Error))
  })
  await new Promise<void>((done) => http.listen(0, '127.0.0.1', done))
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/v1/mcp`,
    seen,
    get sessions() {
      return new Set(transports.keys())
    },
    addTool() {
      for (const server of servers) server.registerTool('other', {}, () => ({ content: [] }))
    },
    async [Symbol.asyncDispose]() {
      http.closeAllConnections()
      await new Promise<void>((done) => http.close(() => done()))
    },
  }
}
