/**
 * The usual way to write an MCP proxy: server and client of the official SDK, each call handed from one to the other. It knows no
 * callers, counts nothing and records nothing. Arguments: port, URL of the MCP server.
 */
import { createServer } from 'node:http'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import {
  type NodeIncomingMessageLike,
  type NodeServerResponseLike,
  toNodeHandler,
} from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'

const [port, url] = process.argv.slice(2)
const INFO = { name: 'sdk-proxy', version: '1.0.0' }

const client = new Client(INFO, { versionNegotiation: { mode: { pin: '2026-07-28' } } })
await client.connect(new StreamableHTTPClientTransport(new URL(url!)))

/** The SDK wants a server for each request in the modern era. */
const handle = toNodeHandler(
  createMcpHandler(
    () => {
      const server = new McpServer(INFO, { capabilities: { tools: {} } })
      server.server.setRequestHandler('tools/list', ({ params }) => client.listTools(params))
      server.server.setRequestHandler('tools/call', ({ params: { name, arguments: given } }) =>
        client.callTool({ name, ...(given === undefined ? {} : { arguments: given }) }),
      )
      return server
    },
    { legacy: 'reject', responseMode: 'json' },
  ),
)
createServer((incoming, outgoing) => {
  // The adapter's shapes are narrower than those of Node in how they name the arguments of listeners
  handle(incoming as NodeIncomingMessageLike, outgoing as unknown as NodeServerResponseLike).catch(() =>
    outgoing.destroy(),
  )
}).listen(Number(port), '127.0.0.1')
