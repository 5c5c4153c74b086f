/**
 * `postern runner`: runs MCP servers that speak stdio, and serves each over Streamable HTTP. It is a process of its own,
 * so that the gateway starts no programs and has none of their secrets. It is no sandbox: a server may do what the user of
 * the runner may do.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, lstatSync, rmSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { CannotStart } from '../base/refusal.ts'
import { createDoor, createEraOf } from './door.ts'
import type { RunnerConfig, RunnerListen } from './file.ts'
import { createInstances } from './instances.ts'
import { createProcessTable, markOfFile, type ProcessTable, startOf } from './process-table.ts'
import type { Log } from './server-log.ts'
import { createTimers } from './timers.ts'

const TICK_MS = 100
/** Time between closing the input of a server, SIGTERM and SIGKILL, milliseconds. */
const GRACE_MS = 2000

export interface RunnerOptions {
  readonly clock: Clock
  readonly log: Log
  /** For tests. */
  readonly tickMs?: number
  readonly graceMs?: number
}

export interface Runner {
  /** The socket, or host and port. */
  readonly place: string
  /** Of an address; 0 for a socket. */
  readonly port: number
  /** Answers what is under way with an error, and ends all processes. */
  close(): Promise<void>
}

/** Starts a runner. @throws CannotStart when it cannot listen, and on Windows */
export async function startRunner(config: RunnerConfig, options: RunnerOptions): Promise<Runner> {
  const { clock, log } = options
  if (process.platform === 'win32')
    throw new CannotStart('The runner needs process groups and Unix sockets; run it on Linux or macOS.')
  const table = createProcessTable()
  const timers = createTimers(clock, options.tickMs ?? TICK_MS)
  const ofFile = markOfFile(config.file)
  const prefix = `${ofFile}${process.pid}.${startOf(process.pid) ?? 0}.`
  const instances = createInstances({
    timers,
    clock,
    table,
    log,
    graceMs: options.graceMs ?? GRACE_MS,
    mark: () => prefix + randomBytes(8).toString('hex'),
  })
  const door = createDoor({
    config,
    instances,
    eraOf: createEraOf(instances, clock),
    timers,
    fault: (error) => log('error', `fault: ${error instanceof Error ? error.stack : String(error)}`),
  })
  // Also where the process ends without a stop. Nothing can wait by then.
  const kill = (): void => instances.kill()
  process.once('exit', kill)
  const undo = (): void => {
    process.off('exit', kill)
    timers.close()
  }
  const server = await listen(config.listen, door).catch((error: unknown) => {
    undo()
    throw error
  })
  const left = endLeft(table)
  if (left > 0) log('warn', `ended ${left} processes that a killed runner had left running`)
  if (!table.isKnown)
    log('warn', 'limits.memory and limits.processes are not enforced: this system has no /proc')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0

  return {
    port,
    place: config.listen.kind === 'socket' ? config.listen.path : placeText({ ...config.listen, port }),
    async close() {
      const closed = new Promise<void>((done) => server.close(() => done()))
      await instances.close()
      server.closeIdleConnections()
      server.closeAllConnections()
      await closed
      undo()
      if (config.listen.kind === 'socket') rmSync(config.listen.path, { force: true })
    },
  }

  /** Kills what carries the mark of a runner of the same file that is not alive. The number of processes. */
  function endLeft(processes: ProcessTable): number {
    let count = 0
    for (const row of processes.rows()) {
      if (row.mark?.startsWith(ofFile) !== true) continue
      const [, pid, started] = row.mark.split('.')
      if (startOf(Number(pid)) === started || startOf(row.pid) !== row.started) continue
      try {
        process.kill(row.pid, 'SIGKILL')
        count++
      } catch {
        // It has ended meanwhile
      }
    }
    return count
  }
}

/** Time in which a whole request must have arrived, milliseconds. */
const REQUEST_MS = 60_000
const HEADER_BYTES_MAX = 32_768
const CONNECTIONS_MAX = 4096

/**
 * An HTTP server at the place that the file names. A socket has mode 0600 from its first moment; one that a killed runner
 * has left is removed. @throws CannotStart
 */
export async function listen(place: RunnerListen, listener: RequestListener): Promise<Server> {
  // Node.js says EACCES for a directory that does not exist
  if (place.kind === 'socket' && !existsSync(dirname(place.path)))
    throw new CannotStart(
      `The runner cannot listen on ${place.path}: the directory ${dirname(place.path)} does not exist. Create it, owned by the user of the runner.`,
    )
  const server = createServer(
    { requestTimeout: REQUEST_MS, maxHeaderSize: HEADER_BYTES_MAX, keepAliveTimeout: 60_000 },
    listener,
  )
  server.maxConnections = CONNECTIONS_MAX
  if (place.kind === 'socket') await removeLeft(place.path)
  const mask = process.umask(0o177)
  try {
    await new Promise<void>((done, reject) => {
      server.once('error', reject)
      if (place.kind === 'socket') server.listen(place.path, done)
      else server.listen(place.port, place.host, done)
    })
  } catch (error) {
    throw new CannotStart(
      `The runner cannot listen on ${placeText(place)}: ${(error as Error).message}`,
      error,
    )
  } finally {
    process.umask(mask)
  }
  return server
}

/** The place as a person reads it. */
function placeText(place: RunnerListen): string {
  return place.kind === 'socket' ? place.path : `${place.host}:${place.port}`
}

async function removeLeft(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket())
    throw new CannotStart(`${path} is no socket; remove it, or set listen.socket to another path.`)
  if (await answers(path))
    throw new CannotStart(
      `Another process listens on ${path}; stop it, or set listen.socket to another path.`,
    )
  rmSync(path, { force: true })
}

function answers(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(path)
    const end = (isThere: boolean): void => {
      socket.destroy()
      done(isThere)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}
