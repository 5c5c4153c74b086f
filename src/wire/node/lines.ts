import type { OutgoingMessage } from 'node:http'
import { statusLine } from '../native/response-head.ts'

/** Header lines ending in CRLF as names and values in turn. */
export function pairsOf(lines: string): string[] {
  const pairs: string[] = []
  let at = 0
  while (at < lines.length) {
    const end = lines.indexOf('\r\n', at)
    const colon = lines.indexOf(':', at)
    pairs.push(lines.slice(at, colon), lines.slice(colon + 1, end).trim())
    at = end + 2
  }
  return pairs
}

/** Names and values in turn, behind a first line, as the bytes of a head without its empty line. */
export function headOf(firstLine: string, pairs: readonly string[]): Buffer {
  let head = `${firstLine}\r\n`
  for (let i = 0; i < pairs.length; i += 2) head += `${pairs[i]}: ${pairs[i + 1]}\r\n`
  return Buffer.from(head, 'latin1')
}

/** The registered reason of a status. */
export function reasonOf(status: number): string {
  return statusLine(status).slice('HTTP/1.1 200 '.length, -2)
}

/** Sends the head of a message that has no body, before its end. */
export function flushBodiless(message: OutgoingMessage): void {
  // Part of every message, though not of its type; `write` does nothing here
  ;(message as OutgoingMessage & { _send(data: string, encoding: string): void })._send('', 'latin1')
}

/** Sends the head before there is a body. `flushHeaders` would write bytes above 127 as UTF-8. */
export function flushHead(message: OutgoingMessage): void {
  message.write('', 'latin1')
}
