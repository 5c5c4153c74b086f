import type { ForwardRequest } from '../port.ts'

/** Head of a request to an upstream, with its framing. `bodyBytes` is a length or -1 for chunked; `upgrade` offers a WebSocket. */
export function requestMessage(request: ForwardRequest, bodyBytes: number, upgrade = false): string {
  const head = `${request.method} ${request.target} HTTP/1.1\r\nHost: ${request.host}\r\n${request.fields}`
  if (upgrade) return `${head}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`
  if (bodyBytes > 0) return `${head}Content-Length: ${bodyBytes}\r\n\r\n`
  if (bodyBytes < 0) return `${head}Transfer-Encoding: chunked\r\n\r\n`
  // RFC 9110 8.6: methods that expect a body say that there is none
  const expectsBody = request.method === 'POST' || request.method === 'PUT' || request.method === 'PATCH'
  return expectsBody ? `${head}Content-Length: 0\r\n\r\n` : `${head}\r\n`
}
