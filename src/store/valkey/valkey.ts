/**
 * The connection to Valkey as `store/ports/valkey.ts` has it. A breaker: the first fault ends the connections and refuses calls, and a new
 * connection closes it again. No call ever waits for a connection.
 */
import { shownServer, shownValkey, type ValkeyAddress, type ValkeyServer } from '../../base/net/valkey-url.ts'
import { StoreUnavailable } from '../ports/unavailable.ts'
import type { ScriptAnswer, ScriptCall, Valkey } from '../ports/valkey.ts'
import { ErrorReply, messageOf } from './link.ts'
import { connectServers, type LoadedScript, loadScripts, type Servers } from './servers.ts'

/** Between two attempts to connect, milliseconds, changed by up to a half at random: nodes must not come all at once. */
const RETRY_MS = 1000
/** The first attempt after a loss comes within so much, milliseconds: servers close connections for many reasons. */
const FIRST_RETRY_MS = 100
/** Between two probes of a connection, and how long one may take, milliseconds. */
const PROBE_MS = 1000

/** What a server answers that cannot serve the counters: another connection may find one that can. */
const UNUSABLE = new Set(['READONLY', 'LOADING', 'MASTERDOWN', 'CLUSTERDOWN', 'MOVED', 'ASK', 'NOAUTH'])
/** What it answers while it refuses this call: another connection would get the same. */
const REFUSING = new Set(['OOM', 'NOPERM', 'MISCONF', 'NOREPLICAS', 'BUSY', 'TRYAGAIN', 'UNKILLABLE'])
/** Such a refusal is logged once in so much time, milliseconds. */
const LOG_MS = 60_000
const NOEVICTION = 'noeviction'

export interface ValkeyOptions {
  readonly address: ValkeyAddress
  /** Sources in Lua, by name. */
  readonly scripts: Readonly<Record<string, string>>
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
}

/** Begins to connect, and goes on trying until it is closed. It does not fail: an address that nobody answers at is a connection that is not up. */
export function openValkey(options: ValkeyOptions): Valkey {
  return new Connection(options)
}

class Connection implements Valkey {
  readonly #options: ValkeyOptions
  readonly #shown: string
  readonly #scripts: ReadonlyMap<string, LoadedScript>
  readonly #listeners: (() => void)[] = []
  #servers: Servers | null = null
  #era = ''
  /** Of the cluster that was connected to last. */
  #members: readonly ValkeyServer[] = []
  /** Why there is no connection, or why there was none before. */
  #reason = new Error('it was not connected to yet')
  /** The reason that was logged last; empty since the last connection. */
  #logged = ''
  /** When a refusal was logged last. */
  #refusedMs = Number.NEGATIVE_INFINITY
  #isClosed = false
  #timer: NodeJS.Timeout

  constructor(options: ValkeyOptions) {
    this.#options = options
    this.#shown = shownValkey(options.address)
    this.#scripts = loadScripts(options.scripts)
    this.#timer = this.#later(0, () => this.#connect())
  }

  get isUp(): boolean {
    return this.#servers !== null
  }

  get era(): string {
    return this.#era
  }

  whenChanged(listener: () => void): void {
    this.#listeners.push(listener)
  }

  async run(calls: readonly ScriptCall[], deadlineMs: number): Promise<readonly ScriptAnswer[]> {
    const servers = this.#servers
    if (servers === null) throw this.#unavailable(this.#reason)
    const answers = Promise.all(
      calls.map((call) => {
        const script = this.#scripts.get(call.script)
        if (script === undefined) throw new Error(`no script has the name ${call.script}`)
        return servers.run(script, call)
      }),
    )
    try {
      return await within(answers, deadlineMs)
    } catch (error) {
      throw this.#judged(error, servers)
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#lose(this.#servers, new Error('the connection was closed'))
    clearTimeout(this.#timer)
  }

  #unavailable(reason: Error): StoreUnavailable {
    const fault = reason instanceof Late ? 'slow' : 'unreachable'
    return new StoreUnavailable(fault, `${this.#shown}: ${messageOf(reason)}`, reason)
  }

  /** What a caller gets for an error of its calls, after what is due to it. */
  #judged(error: unknown, servers: Servers): unknown {
    if (error instanceof ErrorReply && REFUSING.has(error.code)) {
      this.#logRefusal(error.message)
      return this.#unavailable(error)
    }
    // The script has failed, and the server is as good as before
    if (error instanceof ErrorReply && !UNUSABLE.has(error.code)) return error
    this.#lose(servers, error instanceof Error ? error : new Error(messageOf(error)))
    // Another call may have lost them: its reason is the one that counts
    return this.#unavailable(this.#reason)
  }

  #logRefusal(message: string): void {
    const now = performance.now()
    if (now - this.#refusedMs < LOG_MS) return
    this.#refusedMs = now
    this.#options.log('error', `${this.#shown} refuses calls: ${message}`)
  }

  /** Ends these servers, if they are those in use. */
  #lose(servers: Servers | null, reason: Error): void {
    if (servers === null || this.#servers !== servers) return
    this.#servers = null
    clearTimeout(this.#timer)
    servers.destroy()
    this.#tellFault(reason)
    if (!this.#isClosed) this.#timer = this.#later(Math.random() * FIRST_RETRY_MS, () => this.#connect())
    this.#tellChange()
  }

  async #connect(): Promise<void> {
    const { address } = this.#options
    let servers: Servers | null = null
    let lost: Error | null = null
    try {
      servers = await connectServers(address, this.#members, (reason) => {
        lost = reason
        this.#lose(servers, reason)
      })
      // While others were still connected to, or the owner has closed this
      if (lost !== null || this.#isClosed) throw lost ?? new Error('the connection was closed')
    } catch (error) {
      servers?.destroy()
      this.#tellFault(error as Error)
      if (!this.#isClosed) this.#timer = this.#later(RETRY_MS * (0.5 + Math.random()), () => this.#connect())
      return
    }
    this.#servers = servers
    this.#era = servers.era
    this.#members = servers.members
    this.#logged = ''
    this.#timer = this.#later(PROBE_MS, () => this.#probe(servers))
    this.#tellConnected(servers)
    this.#tellChange()
  }

  /** Finds out that the servers are gone, or others, also while nothing is asked of them. */
  async #probe(servers: Servers): Promise<void> {
    try {
      await within(servers.probe(), PROBE_MS)
    } catch (error) {
      this.#lose(servers, error as Error)
    }
    if (this.#servers === servers) this.#timer = this.#later(PROBE_MS, () => this.#probe(servers))
  }

  /** Does not keep the process alive. */
  #later(ms: number, work: () => Promise<void>): NodeJS.Timeout {
    return setTimeout(() => void work(), ms).unref()
  }

  /** Logs why there is no connection, once until there is one or the reason is another. */
  #tellFault(reason: Error): void {
    this.#reason = reason
    const text = messageOf(reason)
    if (text === this.#logged || this.#isClosed) return
    this.#logged = text
    this.#options.log('error', `${this.#shown} cannot be used: ${text}. It is tried again every second.`)
  }

  #tellConnected({ links }: Servers): void {
    const { log } = this.#options
    const names = links.map(({ server, info }) => `${shownServer(server)} (${info.product} ${info.version})`)
    log('info', `${this.#shown} can be used: connected to ${names.join(', ')}`)
    for (const { server, info } of links)
      if (info.policy !== NOEVICTION && info.policy !== '')
        log(
          'warn',
          `${shownServer(server)} has the maxmemory-policy ${info.policy}, so it may drop counters when its memory is full: limits then admit too many requests. Set it to ${NOEVICTION}.`,
        )
  }

  #tellChange(): void {
    for (const listener of this.#listeners) listener()
  }
}

/** An answer did not come in time. */
class Late extends Error {}

/**
 * As the promise, but rejects with {@link Late} after `deadlineMs`. Time in which this thread could not read answers does not count: an
 * answer that has arrived is read first, and after a long pause of the thread the server gets the same time once more.
 */
function within<T>(promise: Promise<T>, deadlineMs: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const begunMs = performance.now()
  const expire = (isLast: boolean): void => {
    const isPaused = !isLast && performance.now() - begunMs > 2 * deadlineMs
    if (isPaused) timer = setTimeout(expire, deadlineMs, true)
    // After the turn in which the event loop reads from sockets
    else setImmediate(reject, new Late(`no answer within ${deadlineMs} ms`))
  }
  let timer = setTimeout(expire, deadlineMs, false)
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
