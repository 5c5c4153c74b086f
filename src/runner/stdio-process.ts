/**
 * One program that speaks MCP over its standard streams.
 *
 * 1. It runs in a session and process group of its own, without a shell, with the declared environment alone.
 * 2. It ends as MCP asks for: its input is closed, then SIGTERM, then SIGKILL, each after a grace period. A process that
 *    has broken a limit is killed at once.
 * 3. `gone` resolves when neither it nor a descendant is left, also one that has left the process group.
 * 4. What it writes is read at a bounded pace and in lines of a bounded length.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import { ByteBuffer } from '../base/memory/bytes.ts'
import type { Failure } from './failure.ts'
import type { ProcessRow, ProcessTable } from './process-table.ts'
import type { ServerLog } from './server-log.ts'
import type { Timers } from './timers.ts'

/** Bytes per second that are read of each stream; a server that writes more waits. */
const STDOUT_PACE_BYTES = 32 * 1024 ** 2
const STDERR_PACE_BYTES = 4 * 1024 ** 2
/** Time in which answers that were written right before the end are still read, milliseconds. */
const LAST_OUTPUT_MS = 250
/** Time after SIGKILL after which a process that the kernel does not end is left alone, milliseconds. */
const KILLED_MS = 2000

export interface ProcessOptions {
  readonly program: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** Value of the mark in `env`. */
  readonly mark: string
  readonly messageBytesMax: number
  readonly memoryBytesMax: number
  readonly processesMax: number
  /** Time between closing the input, SIGTERM and SIGKILL, milliseconds. */
  readonly graceMs: number
  readonly table: ProcessTable
  readonly timers: Timers
  readonly clock: Clock
  readonly serverLog: ServerLog
  /** Told of each line of its output. */
  readonly line: (bytes: Buffer) => void
  /** Told once, when it is of no more use: it has ended, or is about to be. */
  readonly ended: (why: Failure) => void
}

export interface StdioProcess {
  /** 0 when it could not be started. */
  readonly pid: number
  /** Writes a message without its line feed. False when it does not read its input, or is ending: nothing was written. */
  write(message: string): boolean
  /** Compares its memory and number of processes with their limits, and kills it where they are exceeded. */
  check(rows: readonly ProcessRow[]): void
  /** Ends it. @param isAtOnce without a grace period */
  stop(why: Failure, isAtOnce?: boolean): Promise<void>
  /** Kills it without waiting, for a runner that is about to exit. */
  kill(): void
  readonly gone: Promise<void>
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>

/** Starts a program. A program that cannot be started ends like another one, with `start_failed`. */
export function startProcess(options: ProcessOptions): StdioProcess {
  const { clock, timers, serverLog, messageBytesMax } = options
  const gone = Promise.withResolvers<void>()
  const exited = Promise.withResolvers<void>()
  let isOver = false
  let hasExited = false
  let isStopping = false

  const child = spawned()
  const pid = child?.pid ?? 0

  function spawned(): Child | null {
    try {
      return spawn(options.program, [...options.args], {
        cwd: options.cwd,
        env: { ...options.env },
        detached: true,
        shell: false,
        stdio: ['pipe', 'pipe', 'pipe'],
      })
    } catch (error) {
      queueMicrotask(() => startFailed(error as NodeJS.ErrnoException))
      return null
    }
  }

  function startFailed({ code }: NodeJS.ErrnoException): void {
    hasExited = true
    over({
      reason: 'start_failed',
      message: `The program could not be started (${code ?? 'unknown'}).`,
      executed: 'no',
    })
    serverLog.close()
    gone.resolve()
  }

  function over(why: Failure): void {
    if (isOver) return
    isOver = true
    options.ended(why)
  }

  /** Processes of this server, without those that have ended. */
  function members(rows: readonly ProcessRow[]): ProcessRow[] {
    // When nobody has its pid any more, another process may get it, and with it a session of that number
    const isReused = hasExited && rows.some((row) => row.pid === pid)
    return rows.filter(
      (row) => row.mark === options.mark || (!isReused && (row.session === pid || row.group === pid)),
    )
  }

  /** @param left processes of it that are known; its group is reached in any case while it runs */
  function signal(name: 'SIGTERM' | 'SIGKILL', left: readonly ProcessRow[]): void {
    if (pid === 0) return
    // Without the program, its group may end between two looks, and its number belong to another one
    if (!hasExited || left.some((row) => row.group === pid)) send(-pid, name)
    for (const row of left) if (row.group !== pid) send(row.pid, name)
  }

  /** What is left of it, a moment from now. */
  async function leftOfIt(): Promise<readonly ProcessRow[]> {
    return pid === 0 ? [] : members(await options.table.next())
  }

  /** Waits until the program itself has ended, but not for its descendants: without it they are of no use. */
  async function exitWithin(graceMs: number): Promise<void> {
    if (hasExited) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const stopTimer = timers.after(graceMs, resolve)
    await Promise.race([promise, exited.promise])
    stopTimer()
  }

  async function end(isAtOnce: boolean): Promise<void> {
    if (isStopping) return gone.promise
    isStopping = true
    child?.stdin.end()
    if (isAtOnce) signal('SIGKILL', [])
    else await exitWithin(options.graceMs)
    let left = await leftOfIt()
    if (!isAtOnce && (left.length > 0 || !hasExited)) {
      signal('SIGTERM', left)
      const until = clock.monotonic() + options.graceMs
      do left = await leftOfIt()
      while ((left.length > 0 || !hasExited) && clock.monotonic() < until)
    }
    // Again and again, since processes may fork faster than they are found
    const giveUp = performance.now() + KILLED_MS
    while ((left.length > 0 || !hasExited) && performance.now() < giveUp) {
      signal('SIGKILL', left)
      left = await leftOfIt()
    }
    if (left.length > 0) serverLog.note('one of its processes cannot be killed and keeps running')
    // Without /proc nothing is known of its descendants
    if (!options.table.isKnown) send(-pid, 'SIGKILL')
    child?.stdout.destroy()
    child?.stderr.destroy()
    child?.stdin.destroy()
    serverLog.close()
    gone.resolve()
  }

  if (child !== null) {
    const lines = createLineReader(messageBytesMax, (bytes) => {
      if (!isOver) options.line(bytes)
    })
    paced(child.stdout, STDOUT_PACE_BYTES, timers, clock, (piece) => {
      if (isOver || lines.push(piece)) return
      over({
        reason: 'output_invalid',
        message: `The server wrote a line of more than ${messageBytesMax} bytes (limits.message) and was killed.`,
        executed: 'unknown',
      })
      void end(true)
    })
    paced(child.stderr, STDERR_PACE_BYTES, timers, clock, (piece) => serverLog.push(piece))
    // A server that has closed its input is noticed when it ends
    child.stdin.on('error', () => {})
    child.stdout.on('error', () => {})
    child.stderr.on('error', () => {})
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (child.pid === undefined) startFailed(error)
    })
    child.once('exit', (code, name) => {
      hasExited = true
      exited.resolve()
      const how = name === null ? `exited with code ${code}` : `was ended by ${name}`
      const why: Failure = {
        reason: 'process_ended',
        message: `The server ${how}; its log lines are in the log of the runner.`,
        executed: 'unknown',
      }
      // Its last answer may still be in the pipe. A descendant that has the pipe may keep it open for ever.
      const done = (): void => {
        clearTimeout(timer)
        over(why)
        void end(false)
      }
      // After the next look at the pipe, which comes late where this process has much to do
      const timer = setTimeout(() => setImmediate(done), LAST_OUTPUT_MS)
      if (child.stdout.readableEnded || child.stdout.destroyed) done()
      else child.stdout.once('end', done)
    })
  }

  return {
    pid,
    gone: gone.promise,
    write(message) {
      if (child === null || isOver || hasExited || !child.stdin.writable) return false
      const line = oneLine(message)
      // Twice, so that a longest message can follow one that is being read
      if (child.stdin.writableLength + line.length > 2 * messageBytesMax) return false
      child.stdin.write(`${line}\n`)
      return true
    },
    check(rows) {
      if (isOver || pid === 0) return
      const own = members(rows)
      const bytes = own.reduce((sum, row) => sum + row.residentBytes, 0)
      const isTooLarge = bytes > options.memoryBytesMax
      if (!isTooLarge && own.length <= options.processesMax) return
      over(
        isTooLarge
          ? {
              reason: 'memory_exceeded',
              message: `The server used ${megabytes(bytes)} of memory, more than its limit of ${megabytes(options.memoryBytesMax)} (limits.memory), and was killed.`,
              executed: 'unknown',
            }
          : {
              reason: 'processes_exceeded',
              message: `The server had ${own.length} processes, more than its limit of ${options.processesMax} (limits.processes), and was killed.`,
              executed: 'unknown',
            },
      )
      void end(true)
    },
    stop(why, isAtOnce = false) {
      over(why)
      return end(isAtOnce)
    },
    kill: () => signal('SIGKILL', members(options.table.rows())),
  }
}

/** Characters beside the line feed at which some servers end a line. In JSON they stand in strings alone. */
const LINE_ENDS = /[\u0085\u2028\u2029]/g

/** The message with such characters as escapes, which mean the same. @param message JSON without line feeds */
export function oneLine(message: string): string {
  return message.replace(LINE_ENDS, (end) => `\\u${end.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024 ** 2)} MiB`
}

/** A process or group that has ended meanwhile is no fault, and neither is one of another user. */
function send(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

/** Lines per second that are read of a stream, also empty ones: they take the time of this process, not its memory. */
const LINES_PER_SECOND = 16_384
const LINE_FEED = 0x0a

/**
 * Reads a stream. After `bytesPerSecond` bytes or {@link LINES_PER_SECOND} lines it reads no more until the second is over, so the
 * program that writes has to wait. The last piece is taken whole.
 * @param take gets each piece
 */
export function paced(
  stream: Readable,
  bytesPerSecond: number,
  timers: Timers,
  clock: Clock,
  take: (piece: Buffer) => void,
): void {
  let windowAt = clock.monotonic()
  let [bytes, lines] = [0, 0]
  stream.on('data', (piece: Buffer) => {
    const now = clock.monotonic()
    if (now - windowAt >= 1000) {
      windowAt = now
      bytes = 0
      lines = 0
    }
    take(piece)
    bytes += piece.length
    for (let at = -1; lines < LINES_PER_SECOND; lines++) {
      at = piece.indexOf(LINE_FEED, at + 1)
      if (at === -1) break
    }
    if (bytes < bytesPerSecond && lines < LINES_PER_SECOND) return
    stream.pause()
    timers.after(windowAt + 1000 - now, () => stream.resume())
  })
}

/** Splits a stream of bytes at line feeds. It never keeps more than one line of the longest length. */
export interface LineReader {
  /** False when a line was longer than allowed: nothing is read from then on. */
  push(piece: Buffer): boolean
}

/**
 * @param bytesMax longest line, without its line feed
 * @param line told of each line with its bytes; empty lines are left out
 */
export function createLineReader(bytesMax: number, line: (bytes: Buffer) => void): LineReader {
  const kept = new ByteBuffer(null)
  let isOver = false
  return {
    push(piece) {
      let from = 0
      while (!isOver) {
        const at = piece.indexOf(0x0a, from)
        const end = at === -1 ? piece.length : at
        isOver = kept.length + end - from > bytesMax
        if (isOver) break
        if (at === -1) {
          kept.add(piece, from, end)
          return true
        }
        let whole = piece.subarray(from, end)
        if (kept.length > 0) {
          kept.add(piece, from, end)
          whole = kept.whole()
          kept.drop()
        }
        from = at + 1
        if (whole.length > 0) line(whole)
      }
      kept.drop()
      return false
    },
  }
}
