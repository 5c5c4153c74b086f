/** One JSON-RPC request to the hostile origin, and the ways in which its behaviours write bytes. */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'

export interface Exchange {
  /** As sent; undefined for a notification. */
  readonly id: unknown
  readonly rpcMethod: string
  readonly params: Readonly<Record<string, unknown>>
  readonly isModern: boolean
  readonly out: ServerResponse
  /** The URL of the origin itself. */
  readonly self: string
  /** Where redirects lead. */
  readonly redirectTo: string
  /** Bytes of what is large. */
  readonly largeBytes: number
  /** Between the bytes of a slow answer, milliseconds. */
  readonly slowMs: number
  /** What a well-behaved server would answer. */
  readonly honest: object
}

/** The honest answer, with members changed. */
export function messageOf({ id, honest }: Exchange, change: object = {}): object {
  return { jsonrpc: '2.0', id, result: honest, ...change }
}

export function sendJson({ out }: Exchange, body: string | object, status = 200): void {
  out.writeHead(status, { 'content-type': 'application/json' })
  out.end(typeof body === 'string' ? body : JSON.stringify(body))
}

export function openStream({ out }: Exchange): void {
  out.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  out.flushHeaders()
}

export function event(message: object): string {
  return `event: message\ndata: ${JSON.stringify(message)}\n\n`
}

export const notification = (method: string, params: object = {}): object => ({
  jsonrpc: '2.0',
  method,
  params,
})

/** Writes until the other side hangs up, as fast as it reads. */
export async function writeForever(out: ServerResponse, piece: (count: number) => string): Promise<void> {
  for (let count = 0; !out.destroyed; count += 1) await write(out, piece(count))
}

/** Writes one piece, and waits where the other side does not read. */
export async function write(out: ServerResponse, piece: string | Uint8Array): Promise<void> {
  if (out.destroyed || out.write(piece)) return
  const gone = new AbortController()
  const closed = (): void => gone.abort()
  out.once('close', closed)
  // Either it drains, or the other side hung up
  await once(out, 'drain', { signal: gone.signal }).catch(() => {})
  out.off('close', closed)
}
