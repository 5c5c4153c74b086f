/**
 * The main thread's side of the delivery to sinks: orders for the sinks thread, its questions to the configuration store, and the states of sinks.
 *
 * 1. The thread runs only while a sink is active, or was since the start.
 * 2. Of several processes on one database, one sends. It renews its claim, and another takes over at most 30 seconds after the last renewal.
 * 3. The states of all sinks are stored together, at most once a second. After a fault, a sink sends again what it has sent since then.
 */
import type { Worker } from 'node:worker_threads'
import type { Clock } from '../base/clock.ts'
import { toTime } from '../base/clock.ts'
import { isReference } from '../model/api/credential-facts.ts'
import type { SinkStream, SinkTest } from '../model/sink.ts'
import type { SinkPort } from '../operations/engine/ports.ts'
import {
  type AuditPage,
  type FromSinks,
  newStreamState,
  type Position,
  readSinkState,
  SINK_STATE,
  type SinkOrder,
  type SinkState,
  type SinkTarget,
  type StreamState,
  type ToSinks,
} from '../sinks/port.ts'
import type { ConfigStore, StoredSecret } from '../store/ports/config.ts'
import type { Resource } from '../store/ports/resource.ts'
import type { SecretSources } from '../vault/sources.ts'
import type { Vault } from '../vault/vault.ts'

/** How long a process may send after it has claimed or renewed, and how often it renews, milliseconds. */
const LEASE_MS = 30_000
const RENEW_MS = 5000
/** A test event waits for the thread no longer, milliseconds. */
const TEST_MS = 30_000
const STOP_MS = 2000

export interface SinkDeliveryParts {
  /** Null while there is none: then nothing is sent. */
  readonly store: ConfigStore | null
  readonly vault: Vault
  readonly sources: SecretSources
  readonly clock: Clock
  readonly fault: (error: unknown, at: string) => void
  readonly start: () => Worker
  /** Whether sinks may write files. */
  readonly writesFiles: boolean
}

export interface SinkDelivery extends SinkPort {
  /** To be called once a second. */
  tick(): Promise<void>
  /** Stores what was sent, and ends the thread. */
  stop(): Promise<void>
}

export function createSinkDelivery(parts: SinkDeliveryParts): SinkDelivery {
  const { store, vault, sources, clock, fault, writesFiles } = parts
  let worker: Worker | null = null
  let lastId = 0
  let told = ''
  /** Until when this process may send, and when it renews. */
  let until = 0
  let renewAt = 0
  const tests = new Map<number, (test: SinkTest) => void>()
  /** Not stored yet, by sink and stream. */
  const progress = new Map<string, Extract<FromSinks, { kind: 'progress' }>>()
  let stopped = (): void => {}

  const say = (message: ToSinks): void => running().postMessage(message)

  function running(): Worker {
    if (worker !== null) return worker
    const its = parts.start()
    const gone = (error?: unknown): void => {
      if (worker !== its) return
      worker = null
      told = ''
      for (const done of tests.values()) done(failed('the sinks thread has ended'))
      tests.clear()
      stopped()
      if (error !== undefined) fault(error, 'sinks')
    }
    its.on('message', hear)
    its.on('error', gone)
    its.on('exit', () => gone())
    its.unref()
    worker = its
    return its
  }

  function hear(message: FromSinks): void {
    switch (message.kind) {
      case 'progress':
        progress.set(`${message.sink} ${message.stream}`, message)
        return
      case 'audit':
        void readAudit(store!, message.position, message.count)
          .catch((error: unknown) => {
            fault(error, 'audit entries for sinks')
            return null
          })
          .then((page) => worker?.postMessage({ kind: 'audit', id: message.id, page } satisfies ToSinks))
        return
      case 'tested':
        tests.get(message.id)?.(message.test)
        tests.delete(message.id)
        return
      case 'stopped':
        stopped()
    }
  }

  /** Whether this process is the one that sends. */
  async function holds(): Promise<boolean> {
    if (!store!.isShared) {
      until = Number.MAX_SAFE_INTEGER
      return true
    }
    const now = clock.now()
    const isHolder = now < until
    if (isHolder && now < renewAt) return true
    // A holder may claim again long before others may: so it stays the holder
    if (await store!.claimJob('sinks', isHolder ? RENEW_MS * 0.9 : LEASE_MS, now)) {
      until = now + LEASE_MS
      renewAt = now + RENEW_MS
      return true
    }
    // Another process has claimed in the meantime
    if (isHolder) until = 0
    return false
  }

  async function targetOf(sink: Resource<'sinks'>, secrets: readonly StoredSecret[]): Promise<SinkTarget> {
    const { id, spec } = sink
    const { destination } = spec
    const auth = spec.auth as Readonly<Record<string, unknown>>
    if (auth['type'] === 'none') return { id, destination, secret: null, fault: null }
    const source = auth['secret']
    if (isReference(source)) {
      await sources.refresh([source])
      const found = sources.peek(source)
      return found?.ok === true
        ? { id, destination, secret: found.text, fault: null }
        : { id, destination, secret: null, fault: found?.reason ?? 'the secret is not known yet' }
    }
    const stored = secrets.find(({ owner, field }) => owner === id && field === 'secret')
    if (stored === undefined) return { id, destination, secret: null, fault: 'the sink has no secret' }
    try {
      return { id, destination, secret: vault.open(stored.sealed, id, 'secret').reveal(), fault: null }
    } catch {
      return { id, destination, secret: null, fault: 'the secret cannot be decrypted' }
    }
  }

  async function ordersOf(sinks: readonly Resource<'sinks'>[]): Promise<readonly SinkOrder[]> {
    const ids = sinks.map(({ id }) => id)
    const [secrets, states] = [await store!.read.secretsOf(ids), await store!.read.statesOf(ids, SINK_STATE)]
    return Promise.all(
      sinks.map(async (sink): Promise<SinkOrder> => {
        const { spec, id, updated_at } = sink
        const kept = readSinkState(states.find(({ owner }) => owner === id)?.json)
        // A stream begins with what happens after it was switched on
        const streams = spec.streams.map((stream): [SinkStream, StreamState] => [
          stream,
          kept.streams[stream] ?? newStreamState(Date.parse(updated_at)),
        ])
        return {
          ...(await targetOf(sink, secrets)),
          filter: spec.filter,
          generation: kept.generation,
          streams: Object.fromEntries(streams),
        }
      }),
    )
  }

  async function keepProgress(): Promise<void> {
    if (progress.size === 0) return
    const all = [...progress.values()]
    progress.clear()
    try {
      await store!.write(async (writer) => {
        for (const [id, some] of Map.groupBy(all, ({ sink }) => sink)) {
          if ((await writer.byId('sinks', id)) === undefined) continue
          const kept = readSinkState((await writer.statesOf([id], SINK_STATE))[0]?.json)
          const current = some.filter(({ generation }) => generation === kept.generation)
          if (current.length === 0) continue
          const reached = current.map(({ stream, state }) => [stream, state] as const)
          const next: SinkState = { ...kept, streams: { ...kept.streams, ...Object.fromEntries(reached) } }
          await writer.putState(id, SINK_STATE, JSON.stringify(next))
        }
      })
    } catch (error) {
      for (const one of all) {
        const key = `${one.sink} ${one.stream}`
        if (!progress.has(key)) progress.set(key, one)
      }
      throw error
    }
  }

  return {
    writesFiles,
    async tick() {
      if (store === null) return
      await keepProgress()
      const sinks = (await store.read.all('sinks')).filter(({ spec }) => spec.active)
      if (sinks.length === 0 && worker === null) return
      const isHolder = sinks.length > 0 && (await holds())
      const orders = isHolder ? await ordersOf(sinks) : []
      // States go along when something else has changed: the thread knows its own
      const asked = JSON.stringify([
        until,
        orders.map(({ streams, ...rest }) => [rest, Object.keys(streams)]),
      ])
      if (asked === told || (orders.length === 0 && worker === null)) return
      told = asked
      say({ kind: 'orders', orders, until })
    },
    async test(sink) {
      const target = await targetOf(sink, (await store?.read.secretsOf([sink.id])) ?? [])
      const id = ++lastId
      return new Promise((done) => {
        const timer = setTimeout(() => {
          tests.delete(id)
          done(failed('the sinks thread did not answer in time'))
        }, TEST_MS)
        tests.set(id, (test) => {
          clearTimeout(timer)
          done(test)
        })
        say({ kind: 'test', id, target })
      })
    },
    async stop() {
      const its = worker
      if (its === null) return
      await new Promise<void>((done) => {
        const timer = setTimeout(done, STOP_MS)
        stopped = () => {
          clearTimeout(timer)
          done()
        }
        its.postMessage({ kind: 'stop' } satisfies ToSinks)
      })
      worker = null
      await its.terminate()
      await keepProgress().catch((error: unknown) => fault(error, 'sinks'))
    },
  }
}

function failed(summary: string): SinkTest {
  return { ok: false, summary, latency_ms: 0 }
}

/** Entries after a position, in their order, as operations show them to who may read all of them. */
async function readAudit(
  { read }: Pick<ConfigStore, 'read'>,
  { since, after }: Position,
  count: number,
): Promise<AuditPage> {
  const oldest = (await read.oldestAudit())?.seq ?? 1
  const start = after ?? (await read.lastAuditBefore(toTime(since))) ?? oldest - 1
  const removed = after === undefined ? 0 : Math.max(0, oldest - 1 - start)
  const { items, seqs } = await read.auditEntries({ order: 'oldest', limit: count, last: start + removed })
  return {
    entries: items.map((entry, at) => ({
      seq: seqs[at]!,
      time: Date.parse(entry.time),
      json: JSON.stringify({ seq: seqs[at], ...entry }),
    })),
    after: seqs.at(-1) ?? start + removed,
    removed,
  }
}
