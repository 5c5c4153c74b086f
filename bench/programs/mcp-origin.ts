/**
 * An MCP server that costs as little as one in Node can: `node:net`, whole messages alone, one JSON answer each. It has
 * {@link TOOLS} tools, speaks 2026-07-28 and 2025-11-25, and keeps no sessions. Argument: port.
 */
import { createServer, type Socket } from 'node:net'

/** Tools that it lists. All give the same answer. */
const TOOLS = 100

const port = Number(process.argv[2])
const END_OF_HEAD = '\r\n\r\n'
const SERVER = { name: 'orders', version: '1.0.0' }
const META = { 'io.modelcontextprotocol/serverInfo': SERVER }
const CAPABILITIES = { tools: {} }

/** About 1 KB, as large as what the upstream of the other benchmarks gives. */
const ORDERS = JSON.stringify({
  items: Array.from({ length: 12 }, (_, id) => ({
    id,
    name: `order-${id}`,
    status: 'shipped',
    total: 129.95 + id,
  })),
  next: '/shop/v1/orders?after=order-0011&limit=12',
})

const TEXTS: Readonly<Record<string, string>> = {
  'server/discover': JSON.stringify({
    resultType: 'complete',
    supportedVersions: ['2026-07-28'],
    capabilities: CAPABILITIES,
    ttlMs: 3_600_000,
    cacheScope: 'public',
    _meta: META,
  }),
  initialize: JSON.stringify({
    protocolVersion: '2025-11-25',
    capabilities: CAPABILITIES,
    serverInfo: SERVER,
  }),
  'tools/list': JSON.stringify({
    resultType: 'complete',
    tools: Array.from({ length: TOOLS }, (_, index) => toolOf(index)),
    ttlMs: 3_600_000,
    cacheScope: 'public',
    _meta: META,
  }),
  'tools/call': JSON.stringify({
    resultType: 'complete',
    content: [{ type: 'text', text: ORDERS }],
    isError: false,
    _meta: META,
  }),
}

function toolOf(index: number): object {
  return {
    name: `get_orders_${index}`,
    title: `Orders of region ${index}`,
    description: `Gives the newest orders of region ${index}, with their state and their total.`,
    inputSchema: {
      type: 'object',
      properties: {
        customer: { type: 'string', description: 'Id of the customer, such as cus_1842' },
        limit: { type: 'integer', minimum: 1, maximum: 100, description: 'How many orders at most' },
      },
      required: ['customer'],
      additionalProperties: false,
    },
    annotations: { readOnlyHint: true },
  }
}

createServer((socket) => {
  let kept = ''
  socket.setNoDelay(true).on('error', () => socket.destroy())
  // Latin-1 keeps one character for each byte: lengths are those of the head
  socket.setEncoding('latin1').on('data', (piece: string) => {
    kept += piece
    for (;;) {
      const end = kept.indexOf(END_OF_HEAD)
      if (end === -1) return
      const head = kept.slice(0, end)
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0)
      const from = end + END_OF_HEAD.length
      if (kept.length < from + length) return
      answer(socket, head, kept.slice(from, from + length))
      kept = kept.slice(from + length)
    }
  })
}).listen(port, '127.0.0.1')

function answer(socket: Socket, head: string, body: string): void {
  if (!head.startsWith('POST ')) {
    send(socket, '405 Method Not Allowed', '')
    return
  }
  // Postern alone calls it, with JSON-RPC messages
  const { id, method } = JSON.parse(body) as { readonly id?: unknown; readonly method: string }
  const text = TEXTS[method]
  const given =
    text === undefined ? '"error":{"code":-32601,"message":"Method not found"}' : `"result":${text}`
  if (id === undefined) send(socket, '202 Accepted', '')
  else send(socket, '200 OK', `{"jsonrpc":"2.0","id":${JSON.stringify(id)},${given}}`)
}

/** @param text of ASCII characters alone */
function send(socket: Socket, status: string, text: string): void {
  const type = text === '' ? '' : 'Content-Type: application/json\r\n'
  socket.write(`HTTP/1.1 ${status}\r\n${type}Content-Length: ${text.length}\r\n\r\n${text}`, 'latin1')
}
