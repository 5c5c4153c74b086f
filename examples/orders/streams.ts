import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'

/** Ends waits when the reader has gone away, so that a stopped service leaves no timer behind. */
export function whileReading(response: ServerResponse): AbortSignal {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  return gone.signal
}

/** An event about one of the orders, as JSON. */
export function eventOf(id: number): string {
  return JSON.stringify({ id, type: 'order.updated', order_id: String(((id - 1) % 8) + 1) })
}

/** Server-sent events, one every `everyMs`, until `count` were sent or the reader goes away. */
export async function sendEvents(response: ServerResponse, count: number, everyMs: number): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  const signal = whileReading(response)
  for (let id = 1; id <= count && !response.destroyed; id++) {
    await write(response, `id: ${id}\nevent: order.updated\ndata: ${eventOf(id)}\n\n`)
    if (id < count) await wait(everyMs, undefined, { signal })
  }
  response.end()
}

/** A report of `rows` lines of CSV in chunks, never more of it in memory than the reader has room for. */
export async function sendReport(response: ServerResponse, id: string, rows: number): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/csv; charset=utf-8' })
  await write(response, 'report,row,sku,quantity\n')
  for (let row = 1; row <= rows && !response.destroyed; ) {
    let chunk = ''
    for (const end = Math.min(row + 500, rows + 1); row < end; row++)
      chunk += `${id},${row},SKU-${row % 97},${row % 13}\n`
    await write(response, chunk)
  }
  response.end()
}

async function write(response: ServerResponse, text: string): Promise<void> {
  if (response.write(text) || response.destroyed) return
  // A reader that goes away never drains; its close ends the wait as well.
  const ended = new AbortController()
  await Promise.race([
    once(response, 'drain', { signal: ended.signal }),
    once(response, 'close', { signal: ended.signal }),
  ]).finally(() => ended.abort())
}
