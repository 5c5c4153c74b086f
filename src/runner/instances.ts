/**
 * The processes of all entries.
 *
 * 1. Callers share a process only when entry, arguments, token, origin and user are the same and, in a legacy session,
 *    the revision and capabilities that the client declares: a server learns these once.
 * 2. Each entry has at most `limits.instances` processes. At the bound the one unused for longest ends, if nobody uses it.
 * 3. A process that has failed is started again by the next request, after a pause that doubles with each failure.
 */
import type { Clock } from '../base/clock.ts'
import { canonicalJson, textHash } from '../base/json/canonical.ts'
import { Lru } from '../base/memory/lru.ts'
import { isSecretName } from '../base/text/mask.ts'
import { isMembers, type Members } from '../mcp/protocol/message.ts'
import { type Connection, createConnection, type Request } from './connection.ts'
import { type Failure, failure } from './failure.ts'
import { readSecretFile } from './file.ts'
import { type EntrySpec, MARK_VARIABLE } from './file-schema.ts'
import type { ProcessTable } from './process-table.ts'
import { createServerLog, type Log } from './server-log.ts'
import { createSession, type Session } from './session.ts'
import { type StdioProcess, startProcess } from './stdio-process.ts'
import type { Timers } from './timers.ts'

/** Period in which memory, processes and idle times are looked at, milliseconds. */
const SAMPLE_MS = 1000
/** A process that lived this long has not failed at once: the next pause is none again, milliseconds. */
const STEADY_MS = 60_000
const PAUSE_MS = 1000
const PAUSE_MS_MAX = 60_000
/** Kept for a legacy process without a session, in case that the next client comes soon, milliseconds. */
const LINGER_MS = 30_000
const FAILURES_KEPT_MAX = 1000
/** Kind of a process of a legacy server that was asked for its era, and has not been initialized. */
const SPARE = 'legacy, not initialized'

export type Era = 'legacy' | 'modern'

/** What a process is started for, and for whom. */
export interface Wanted {
  readonly name: string
  readonly entry: EntrySpec
  readonly args: readonly string[]
  /** Hash over entry and arguments. */
  readonly command: string
  /** Whose share of the requests under way it counts in; empty for a client that names none. */
  readonly caller: string
  /** Hash over entry, arguments, token, origin and user. */
  readonly owner: string
}

export interface Instance {
  readonly connection: Connection
  readonly wanted: Wanted
}

/** A process as this module keeps it. */
interface Kept extends Instance {
  key: string
  /** Its key in `negotiated`; null where it has none. */
  alias: string | null
  readonly process: StdioProcess
  readonly startedAt: number
  readonly sessions: Map<string, Session>
  usedAt: number
  /** Requests that wait for its `initialize`. */
  waiting: number
  initialized: Promise<{ text: string } | { why: Failure }> | null
  hasToldInitialized: boolean
}

export interface Instances {
  /** The process for modern requests, started where there is none. */
  modern(wanted: Wanted): Instance | Failure
  /**
   * Opens a legacy session, on a process of its own or on one that other sessions share. The text is the response of the
   * server with any id; without a session it is an error of the server. `isLeft` tells that nobody waits any more.
   */
  initialize(
    wanted: Wanted,
    message: Request,
    text: string,
    isLeft: () => boolean,
  ): Promise<{ text: string; session: Session | null } | Failure>
  /** A session of that owner. */
  find(id: string, owner: string): { session: Session; instance: Instance } | null
  /** True once for each process: its server is told only once that a client is ready. */
  tellsInitialized(instance: Instance): boolean
  endSession(session: Session): void
  /**
   * Asks a new process one request of the runner. `keep` says of its answer for which era the process is kept, so that the next
   * request of the owner finds it; null ends the process.
   */
  askFirst(
    wanted: Wanted,
    message: Request,
    text: string,
    timeoutMs: number,
    keep: (answer: string) => Era | null,
  ): Promise<{ text: string } | { why: Failure }>
  /** Kills all processes without waiting. */
  kill(): void
  close(): Promise<void>
}

export interface InstancesOptions {
  readonly timers: Timers
  readonly clock: Clock
  readonly table: ProcessTable
  readonly log: Log
  /** See {@link StdioProcess}. */
  readonly graceMs: number
  /** Gives the mark of a new process. */
  readonly mark: () => string
}

export function createInstances(options: InstancesOptions): Instances {
  const { timers, clock, table, log, graceMs } = options
  const kept = new Map<string, Kept>()
  /** Of these, legacy processes by the revision that they speak, where that is another than their client has asked for. */
  const negotiated = new Map<string, Kept>()
  const sessions = new Map<string, { readonly session: Session; readonly instance: Kept }>()
  /** With the names of their entries; also those that are ending, and those that are started for one request. */
  const alive = new Map<StdioProcess, string>()
  const failures = new Lru<string, { readonly count: number; readonly until: number }>(FAILURES_KEPT_MAX)
  let isClosed = false
  sample()

  function sample(): void {
    timers.after(SAMPLE_MS, () => {
      if (alive.size > 0) {
        const rows = table.rows()
        for (const process of [...alive.keys()]) process.check(rows)
        endIdle()
      }
      if (!isClosed) sample()
    })
  }

  function endIdle(): void {
    const now = clock.monotonic()
    for (const { session, instance } of [...sessions.values()]) {
      const { idle_timeout } = instance.wanted.entry.limits
      if (
        !session.isStreaming &&
        instance.connection.callCount === 0 &&
        now - session.usedAt > idle_timeout
      ) {
        const { usedAt } = instance
        endSession(session)
        instance.usedAt = usedAt
      }
    }
    for (const one of [...kept.values()]) {
      const { idle_timeout } = one.wanted.entry.limits
      const isUnused = (one.initialized !== null || one.key.endsWith(SPARE)) && one.sessions.size === 0
      const idleMs = isUnused ? Math.min(LINGER_MS, idle_timeout) : idle_timeout
      if (isIdle(one) && now - one.usedAt > idleMs) stop(one, 'The process was idle.')
    }
  }

  function isIdle({ connection, sessions: own, waiting }: Kept): boolean {
    return (
      connection.callCount === 0 && waiting === 0 && ![...own.values()].some(({ isStreaming }) => isStreaming)
    )
  }

  /** Ends a process that has done nothing wrong. */
  function stop(one: Kept, message: string): void {
    void one.process.stop(failure('stopped', message, { executed: 'unknown' }))
  }

  function run(
    wanted: Wanted,
    isModern: boolean,
    ended: (why: Failure) => void,
  ): { process: StdioProcess; connection: Connection } | Failure {
    const { entry, name, args } = wanted
    const mark = options.mark()
    let environment: ReturnType<typeof environmentOf>
    try {
      environment = environmentOf(entry, mark)
    } catch (error) {
      log('error', `${name}: ${(error as Error).message}`)
      return failure(
        'start_failed',
        'A file of its environment cannot be read; the log of the runner names it.',
      )
    }
    let pid = 0
    const serverLog = createServerLog(name, environment.secrets, log, clock)
    const connection = createConnection({
      isModern,
      callsMax: entry.limits.calls,
      timers,
      write: (text) => process.write(text),
      note: (text) => serverLog.note(text),
    })
    const process = startProcess({
      program: entry.program,
      args,
      cwd: entry.cwd,
      env: environment.variables,
      mark,
      messageBytesMax: entry.limits.message,
      memoryBytesMax: entry.limits.memory,
      processesMax: entry.limits.processes,
      graceMs,
      table,
      timers,
      clock,
      serverLog,
      line(bytes) {
        try {
          connection.line(bytes)
        } catch (error) {
          // Called from an event of a pipe: a throw there would end the runner, and with it the servers of all entries
          log('error', `${name}: fault: ${(error as Error).stack}`)
        }
      },
      ended(why) {
        if (why.reason !== 'stopped') log('warn', `${name} (process ${pid}): ${why.message}`)
        connection.ended(why)
        ended(why)
      },
    })
    pid = process.pid
    alive.set(process, name)
    void process.gone.then(() => alive.delete(process))
    return { process, connection }
  }

  /** The kept process of that key, or a new one. */
  function take(wanted: Wanted, kind: string, isModern: boolean): Kept | Failure {
    const key = `${wanted.owner} ${kind}`
    const found = kept.get(key) ?? negotiated.get(key) ?? (isModern ? null : takeSpare(wanted, key))
    if (found !== null) {
      found.usedAt = clock.monotonic()
      return found
    }
    const refusal = refusalOf(wanted)
    if (refusal !== null) return refusal
    const started = run(wanted, isModern, (why) => forget(one, why))
    if ('reason' in started) return started
    const one = toKept(started, key, wanted, clock.monotonic())
    return one
  }

  function toKept(
    started: { process: StdioProcess; connection: Connection },
    key: string,
    wanted: Wanted,
    startedAt: number,
  ): Kept {
    const one: Kept = {
      ...started,
      ...{ key, wanted, startedAt, usedAt: clock.monotonic(), sessions: new Map() },
      ...{ waiting: 0, initialized: null, hasToldInitialized: false, alias: null },
    }
    kept.set(key, one)
    log('info', `${wanted.name}: started process ${one.process.pid}`)
    return one
  }

  /** The process that has told its era, for the first session of its owner; null for none. */
  function takeSpare({ owner }: Wanted, key: string): Kept | null {
    const spare = kept.get(`${owner} ${SPARE}`)
    if (spare === undefined || kept.has(key)) return null
    kept.delete(spare.key)
    spare.key = key
    spare.usedAt = clock.monotonic()
    kept.set(key, spare)
    return spare
  }

  /** A client that asks for the revision that the server speaks finds the process too. */
  function nameBySpoken(one: Kept, params: Members, answer: string): void {
    const { result } = JSON.parse(answer) as Members
    const protocolVersion = isMembers(result) ? result['protocolVersion'] : undefined
    const alias = `${one.wanted.owner} legacy ${digestOf({ ...params, protocolVersion })}`
    if (one.alias !== null || alias === one.key || kept.has(alias) || negotiated.has(alias)) return
    one.alias = alias
    negotiated.set(alias, one)
  }

  /** Why no process may be started now, for whatever purpose; null when one may. */
  function refusalOfStart({ name, entry, owner }: Wanted): Failure | null {
    if (isClosed) return failure('stopped', 'The runner is stopping.')
    const pauseMs = (failures.get(owner)?.until ?? 0) - clock.monotonic()
    if (pauseMs > 0)
      return failure('backoff', 'The server has failed repeatedly; it is started again after a pause.', {
        retryAfterMs: pauseMs,
      })
    // Those that are ending, as slowly as they may, count too
    const count = [...alive.values()].filter((one) => one === name).length
    return count < 2 * entry.limits.instances ? null : instancesFull(entry)
  }

  /** As {@link refusalOfStart} for a process that stays. Makes room for it. */
  function refusalOf(wanted: Wanted): Failure | null {
    const refusal = refusalOfStart(wanted)
    if (refusal !== null) return refusal
    const own = [...kept.values()].filter((one) => one.wanted.name === wanted.name)
    if (own.length < wanted.entry.limits.instances) return null
    const [oldest] = own.filter(isIdle).sort((a, b) => a.usedAt - b.usedAt)
    if (oldest === undefined) return instancesFull(wanted.entry)
    stop(oldest, 'The process was stopped to free its place for another process.')
    return null
  }

  function forget(one: Kept, why: Failure): void {
    if (kept.get(one.key) === one) kept.delete(one.key)
    if (one.alias !== null && negotiated.get(one.alias) === one) negotiated.delete(one.alias)
    for (const session of [...one.sessions.values()]) endSession(session)
    if (why.reason !== 'stopped') count(one.wanted.owner, clock.monotonic() - one.startedAt)
  }

  /** The first failure costs nothing: the next request starts the server again. */
  function count(owner: string, livedMs: number): void {
    const before = livedMs >= STEADY_MS ? 0 : (failures.get(owner)?.count ?? 0)
    const pauseMs = before === 0 ? 0 : Math.min(PAUSE_MS_MAX, PAUSE_MS * 2 ** (before - 1))
    failures.set(owner, { count: before + 1, until: clock.monotonic() + pauseMs })
  }

  function endSession(session: Session): void {
    const instance = sessions.get(session.id)?.instance
    if (instance === undefined) return
    sessions.delete(session.id)
    instance.sessions.delete(session.id)
    instance.usedAt = clock.monotonic()
    session.close()
    instance.connection.leave(session)
  }

  const instances: Instances = {
    modern: (wanted) => take(wanted, 'modern', true),
    async initialize(wanted, message, text, isLeft) {
      const { name, entry } = wanted
      const open = [...sessions.values()].filter(({ instance }) => instance.wanted.name === name)
      if (open.length >= entry.limits.sessions)
        return failure(
          'sessions_full',
          `The entry has ${entry.limits.sessions} sessions (limits.sessions).`,
          { retryAfterMs: 1000 },
        )
      const one = take(wanted, `legacy ${digestOf(message.params)}`, false)
      if ('reason' in one) return one
      const timeoutMs = entry.limits.start_timeout
      one.initialized ??= one.connection.ask(message, text, timeoutMs)
      one.waiting++
      const outcome = await one.initialized
      one.waiting--
      if ('why' in outcome) {
        const isLate = outcome.why.reason === 'call_timeout'
        const why: Failure = isLate
          ? failure('start_timeout', startTimeoutText(timeoutMs), { executed: 'unknown' })
          : outcome.why
        // Nobody can use a process without the answer
        void one.process.stop(why)
        return why
      }
      const isRefused = 'error' in (JSON.parse(outcome.text) as Members)
      if (isRefused || isLeft()) {
        if (one.sessions.size === 0 && one.waiting === 0) stop(one, 'No session uses the process.')
        return { text: outcome.text, session: null }
      }
      if (kept.get(one.key) !== one) return failure('process_ended', 'The server has ended after its start.')
      nameBySpoken(one, message.params, outcome.text)
      const session = createSession(wanted.owner, clock.monotonic(), timers)
      sessions.set(session.id, { session, instance: one })
      one.sessions.set(session.id, session)
      one.connection.join(session)
      return { text: outcome.text, session }
    },
    find(id, owner) {
      const found = sessions.get(id)
      if (found === undefined || found.session.owner !== owner) return null
      found.session.usedAt = found.instance.usedAt = clock.monotonic()
      return found
    },
    tellsInitialized(instance) {
      const one = instance as Kept
      const isFirst = !one.hasToldInitialized
      one.hasToldInitialized = true
      return isFirst
    },
    endSession,
    async askFirst(wanted, message, text, timeoutMs, keep) {
      const refusal = refusalOfStart(wanted)
      if (refusal !== null) return { why: refusal }
      const startedAt = clock.monotonic()
      let one: Kept | null = null
      const started = run(wanted, true, (why) => {
        if (one !== null) forget(one, why)
        // A legacy server may exit on what it does not know
        else if (why.reason !== 'stopped' && why.reason !== 'process_ended')
          count(wanted.owner, clock.monotonic() - startedAt)
      })
      if ('reason' in started) return { why: started }
      const outcome = await started.connection.ask(message, text, timeoutMs)
      const era = 'why' in outcome ? null : keep(outcome.text)
      const key = `${wanted.owner} ${era === 'modern' ? 'modern' : SPARE}`
      if (era === null || kept.has(key) || refusalOf(wanted) !== null) {
        void started.process.stop(failure('stopped', 'It has answered.'))
        return outcome
      }
      started.connection.speaks(era === 'modern')
      one = toKept(started, key, wanted, startedAt)
      return outcome
    },
    kill() {
      for (const process of alive.keys()) process.kill()
    },
    async close() {
      isClosed = true
      const why = failure('stopped', 'The runner is stopping.', { executed: 'unknown' })
      await Promise.all([...alive.keys()].map((process) => process.stop(why)))
    },
  }
  return instances
}

function instancesFull({ limits }: EntrySpec): Failure {
  const text = `All ${limits.instances} processes of the entry are in use (limits.instances).`
  return failure('instances_full', text, { retryAfterMs: 1000 })
}

/** What a server learns of its client in `initialize` and cannot learn anew. */
function digestOf(params: Members): string {
  return textHash(canonicalJson([params['protocolVersion'], params['capabilities']]))
}

function startTimeoutText(timeoutMs: number): string {
  return `The server has not answered initialize within ${timeoutMs / 1000} s (limits.start_timeout) and was stopped.`
}

/** Shorter texts would blacken every line of the log. */
const SECRET_CHARS_MIN = 4

/** The environment of one process. */
interface Environment {
  readonly variables: Readonly<Record<string, string>>
  /** Texts that must not appear in the log, longest first. */
  readonly secrets: readonly string[]
}

/**
 * The declared variables alone: nothing of the runner's own environment is inherited. Files are read anew for each
 * process, so that a rotated secret counts from the next start. @throws CannotStart when a file cannot be used.
 * @param mark finds the process and its descendants again
 */
function environmentOf({ env }: Pick<EntrySpec, 'env'>, mark: string): Environment {
  const variables: Record<string, string> = { [MARK_VARIABLE]: mark }
  const secrets: string[] = []
  for (const [name, given] of Object.entries(env)) {
    const value = typeof given === 'string' ? given : readSecretFile(given.file)
    variables[name] = value
    if (typeof given !== 'string' || isSecretName(name))
      // A log shows line by line what has several
      secrets.push(...value.split(/\r?\n/).filter((line) => line.length >= SECRET_CHARS_MIN))
  }
  return { variables, secrets: secrets.sort((a, b) => b.length - a.length) }
}
