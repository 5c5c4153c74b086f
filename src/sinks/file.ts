/**
 * NDJSON files in one directory. A batch is accepted once it is on the disk (fdatasync). A line that a crash has cut off is ended, and the batch is
 * written again.
 */
import { constants } from 'node:fs'
import { type FileHandle, open, readdir, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { toMs } from '../base/clock.ts'
import type { SinkDestination } from '../model/sink.ts'
import { type Batch, NotAccepted, type Receiver, type ReceiverParts } from './receiver.ts'

interface Opened {
  readonly handle: FileHandle
  /** When the file began, milliseconds since the epoch. */
  readonly begunAt: number
  bytes: number
}

/** No link is followed: whoever may write to the directory cannot lead the sink out of it. */
const FLAGS =
  constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW | constants.O_NONBLOCK

export function createFileReceiver(
  { file, rotate_bytes, rotate_every, keep }: Extract<SinkDestination, { type: 'file' }>,
  { clock, directory }: Pick<ReceiverParts, 'clock' | 'directory'>,
): Receiver {
  const opened = new Map<Batch['stream'], Opened>()
  const nameOf = (stream: Batch['stream']): string => `${file}.${stream}.ndjson`

  async function openFile(path: string): Promise<Opened> {
    const handle = await open(path, FLAGS, 0o600)
    try {
      const { size, birthtimeMs, mtimeMs } = await handle.stat().then((stat) => {
        if (stat.isFile()) return stat
        throw new NotAccepted('the name is not that of a regular file')
      })
      let bytes = size
      if (size > 0) {
        const last = await handle.read(Buffer.alloc(1), 0, 1, size - 1)
        if (last.buffer[0] !== 10) bytes += (await handle.write('\n')).bytesWritten
      }
      // Some file systems do not keep when a file was made
      const begunAt = size === 0 ? clock.now() : birthtimeMs > 0 ? birthtimeMs : mtimeMs
      return { handle, begunAt, bytes }
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** Completes the file, and deletes the oldest completed ones. */
  async function rotate(stream: Batch['stream'], { handle }: Opened, within: string): Promise<void> {
    opened.delete(stream)
    await handle.close()
    const stamp = new Date(clock.now()).toISOString().replaceAll(/[-:.]/g, '')
    const start = `${file}.${stream}.`
    const names = await readdir(within)
    let name = `${start}${stamp}.ndjson`
    for (let more = 1; names.includes(name); more++) name = `${start}${stamp}-${more}.ndjson`
    await rename(join(within, nameOf(stream)), join(within, name))
    const completed = [...names, name].filter((one) => isCompleted(one, start)).sort()
    for (const old of completed.slice(0, -keep)) await unlink(join(within, old))
  }

  const isDue = ({ bytes, begunAt }: Opened, more: number): boolean =>
    bytes > 0 && (bytes + more > rotate_bytes || clock.now() - begunAt >= toMs(rotate_every))

  async function write(stream: Batch['stream'], events: Batch['events'], within: string): Promise<string> {
    const text = Buffer.from(events.map(({ json }) => `${json}\n`).join(''))
    let its = opened.get(stream)
    if (its !== undefined && isDue(its, text.length)) {
      await rotate(stream, its, within)
      its = undefined
    }
    if (its === undefined) {
      its = await openFile(join(within, nameOf(stream)))
      opened.set(stream, its)
      // An earlier run of the program may have left it full or old
      if (isDue(its, text.length)) return write(stream, events, within)
    }
    await its.handle.appendFile(text)
    await its.handle.datasync()
    its.bytes += text.length
    return `wrote ${events.length === 1 ? '1 line' : `${events.length} lines`}`
  }

  return {
    async send(batch) {
      if (directory === null) throw new NotAccepted('POSTERN_SINK_DIR is not set')
      try {
        return await write(batch.stream, batch.events, directory)
      } catch (error) {
        // The next attempt opens it again, and ends a line that was cut off
        const its = opened.get(batch.stream)
        opened.delete(batch.stream)
        await its?.handle.close().catch(() => {})
        if (error instanceof NotAccepted) throw error
        throw new NotAccepted(`cannot be written (${(error as NodeJS.ErrnoException).code ?? 'error'})`)
      }
    },
    async close() {
      for (const { handle } of opened.values()) await handle.close()
      opened.clear()
    },
  }
}

function isCompleted(name: string, start: string): boolean {
  return name.startsWith(start) && /^\d{8}T\d{9}Z(-\d+)?\.ndjson$/.test(name.slice(start.length))
}
