/**
 * Loaded into a process before anything else (`--import`), in each of its threads: writes a line to the file `POSTED_BYTES` for each
 * view of bytes that a thread posts to another one. A view is copied with its whole buffer.
 */
import { appendFileSync } from 'node:fs'
import { MessagePort, Worker } from 'node:worker_threads'

const file = process.env['POSTED_BYTES']!

/** A view of bytes in a message. */
export interface Posted {
  /** Members that lead to it, the kind of the message first. */
  readonly path: string
  readonly bytes: number
  readonly bufferBytes: number
}

function viewsIn(value: unknown, path: string, transfer: readonly unknown[], found: Posted[]): void {
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteLength } = value
    if (buffer instanceof ArrayBuffer && !transfer.includes(buffer))
      found.push({ path, bytes: byteLength, bufferBytes: buffer.byteLength })
  } else if (typeof value === 'object' && value !== null && !(value instanceof ArrayBuffer))
    for (const [name, member] of Object.entries(value)) viewsIn(member, `${path}.${name}`, transfer, found)
}

for (const { prototype } of [MessagePort, Worker]) {
  const { postMessage } = prototype
  prototype.postMessage = function (this: MessagePort, message: unknown, transfer?: never): void {
    const found: Posted[] = []
    const kind = (message as { kind?: unknown } | null)?.kind
    viewsIn(message, typeof kind === 'string' ? kind : '', Array.isArray(transfer) ? transfer : [], found)
    for (const one of found) appendFileSync(file, `${JSON.stringify(one)}\n`)
    postMessage.call(this, message, transfer as never)
  }
}
