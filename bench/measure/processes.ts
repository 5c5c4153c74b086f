import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** Ticks of /proc/PID/stat per second; fixed at 100 for user space on Linux. */
const TICKS_PER_SECOND = 100

const TAKEN_MS = 5000

/** The processes that a measurement has started, all of which it ends, whatever happens. */
export interface Processes extends AsyncDisposable {
  /** Starts a program pinned to a core, or to several as in `0,1`. Its output is kept for the error message. */
  start(
    core: number | string,
    command: string,
    args: readonly string[],
    env?: Record<string, string>,
  ): Started
}

export interface Started {
  readonly pid: number
  /** What it has printed so far on both streams. */
  readonly output: () => string
  readonly ended: Promise<number | null>
  end(): Promise<void>
}

export function createProcesses(): Processes {
  const running = new Set<Started>()
  const endAll = async (): Promise<void> => {
    await Promise.all([...running].map((one) => one.end()))
  }
  const onSignal = (): void => {
    void endAll().then(() => process.exit(1))
  }
  process.once('SIGINT', onSignal)
  process.once('SIGTERM', onSignal)
  return {
    start(core, command, args, env = {}) {
      const child = spawn('taskset', ['-c', String(core), command, ...args], {
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      const started = watch(child)
      running.add(started)
      void started.ended.then(() => running.delete(started))
      return started
    },
    async [Symbol.asyncDispose]() {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
      await endAll()
    },
  }
}

function watch(child: ChildProcess): Started {
  let output = ''
  const take = (piece: Buffer): void => {
    output = (output + piece.toString()).slice(-100_000)
  }
  child.stdout?.on('data', take)
  child.stderr?.on('data', take)
  const ended = new Promise<number | null>((done) => {
    child.on('error', (error) => {
      output += error.message
      done(null)
    })
    child.on('close', done)
  })
  return {
    pid: child.pid ?? 0,
    output: () => output,
    ended,
    async end() {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), TAKEN_MS)
      await ended
      clearTimeout(timer)
    },
  }
}

/** Of a process and all its descendants, threads included. */
export interface Usage {
  readonly cpuSeconds: number
  readonly rssBytes: number
}

export function usageOf(root: number): Usage {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^[0-9]+$/.test(name)) continue
    const fields = statOf(Number(name))
    if (fields !== undefined) parents.set(Number(name), Number(fields[1]))
  }
  const isMember = (pid: number): boolean => {
    for (let at: number | undefined = pid; at !== undefined && at > 1; at = parents.get(at))
      if (at === root) return true
    return false
  }
  let ticks = 0
  let rssBytes = 0
  for (const pid of parents.keys()) {
    if (!isMember(pid)) continue
    // Own user and system time, and that of children that ended: fields 14 to 17 of proc(5).
    const fields = statOf(pid)
    if (fields === undefined) continue
    ticks += Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14])
    rssBytes += Number(fields[21]) * 4096
  }
  return { cpuSeconds: ticks / TICKS_PER_SECOND, rssBytes }
}

/** CPU seconds of the process's first thread alone, which in a program of one serving thread is that thread. */
export function firstThreadSeconds(pid: number): number {
  const fields = statOf(`${pid}/task/${pid}`)
  if (fields === undefined) throw new Error(`process ${pid} has ended`)
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** CPU seconds of the threads of a process whose names begin so. */
export function threadSeconds(pid: number, name: string): number {
  let seconds = 0
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const fields = statOf(`${pid}/task/${thread}`)
    if (fields === undefined || !readFileSync(`/proc/${pid}/task/${thread}/comm`, 'utf8').startsWith(name))
      continue
    seconds += (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
  }
  return seconds
}

/** The fields of /proc/PID/stat after the name, which may hold spaces; undefined when the process is gone. */
function statOf(pid: number | string): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

/** Asks until the URL answers with the status, at most two minutes. Rejects early when the process has ended. */
export async function untilStatus(url: string, status: number, from: Started, headers = {}): Promise<void> {
  const end = performance.now() + 120_000
  let over = false
  void from.ended.then(() => {
    over = true
  })
  for (;;) {
    try {
      const response = await fetch(url, { headers })
      await response.arrayBuffer()
      if (response.status === status) return
    } catch {
      // Not listening yet.
    }
    if (over || performance.now() > end) throw new Error(`${url} did not answer ${status}\n${from.output()}`)
    await new Promise((done) => setTimeout(done, 5))
  }
}
