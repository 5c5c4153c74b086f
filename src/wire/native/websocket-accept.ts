/**
 * Decides whether an upstream has accepted a WebSocket (RFC 6455 section 4.1). Bytes after that are not read. A server that
 * answers 101 for another reason, such as a status that a caller chose, would read the following bytes as further requests,
 * which no check has seen.
 */
import { hash } from 'node:crypto'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const KEY = /\r\nsec-websocket-key:[\t ]*([^\r\n]*?)[\t ]*(?=\r\n)/gi
const ACCEPT = /(?:^|\r\n)sec-websocket-accept:[\t ]*([^\r\n]*?)[\t ]*(?=\r\n)/gi

/** @param request Head of the request as it was sent. @param answer Header lines of the answer. */
export function agreesToWebSocket(request: string, answer: string): boolean {
  const keys = [...request.matchAll(KEY)]
  const accepts = [...answer.matchAll(ACCEPT)]
  if (keys.length !== 1 || accepts.length !== 1) return false
  return accepts[0]![1] === hash('sha1', `${keys[0]![1]}${GUID}`, 'base64')
}
