/**
 * `postern runner`: runs MCP servers that speak stdio, and serves each over Streamable HTTP. It is a process of its own,
 * so that the gateway starts no programs and has none of their secrets. It is no sandbox: a server may do what the user of
 * the runner may do.
 */
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import type { Clock } from '../base/clock.ts'
import { CannotStart } from '../base/refusal.ts'
import { createDoor } from './door.ts'
import { createEraOf } from './era.ts'
import type { RunnerConfig } from './file.ts'
import { createInstances } from './instances.ts'
import { listen, placeText } from './listen.ts'
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
  if (left > 0) log('warn', `ended ${left} processes that a killed runner had left`)
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
