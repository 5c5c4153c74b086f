/**
 * Probes the database files and writes their faults to shared memory, where the gateway threads read them for
 * `/readyz`.
 */
import { type Clock, type Repeating, repeat } from '../../base/clock.ts'
import type { Recorder } from '../../record/recorder-client.ts'
import { type Probed, STORE_FAULTS, type StoreFault } from '../../store/ports/unavailable.ts'
import { HEALTH, healthTime, STORES, type StoreName } from '../shared/messages.ts'

const LOOK_MS = 1000
/** Probes write to the disk: every second look is one. A store that fails is probed at every look. */
const LOOKS_PER_PROBE = 2
/** A probe writes one page. Where that takes longer, changes wait so long that their callers may give up. */
const SLOW_MS = 2000

/** A clock that moves against the time that has passed by more than that is told of: what has an end may end early. */
const JUMP_MS = 3_600_000

interface Seen {
  readonly fault: StoreFault
  /** For the log. */
  readonly inner: string
}

/** What an instance keeps its data in. */
export interface WatchedStores {
  /** Of the configuration; null where a start could not use it. */
  readonly store: Probed | null
  /** Why there is none; null when there is one. */
  readonly fault: { readonly fault: StoreFault } | null
  readonly recorder: Pick<Recorder, 'state' | 'watch'>
  readonly lastGood: Probed
  /** Of idempotency keys. */
  readonly keptKeys: Probed
  /** The file of the master key, which is read at starts alone. */
  readonly vaultKey: Probed
  /** See {@link HEALTH}. */
  readonly health: SharedArrayBuffer
  /** How the log names a store that is no file. */
  readonly named?: Partial<Readonly<Record<StoreName, string>>>
  /** What the log says of such a store that cannot be used; see EFFECT. */
  readonly effects?: Partial<Readonly<Record<StoreName, string>>>
}

/** As the log names them; what is in a database is named by {@link WatchedStores.named}. */
const FILES: Readonly<Record<StoreName, string>> = {
  config: 'config.db',
  records: 'records.db',
  idempotency: 'idempotency.db',
  serving: 'serving.db',
  key: 'the key file',
}

/** What the main thread keeps for health questions. */
export interface Health {
  /** See {@link HEALTH}. */
  readonly cells: SharedArrayBuffer
  /** Takes up what a check of a whole file has found: what is wrong, or null. Holds until the next check of that file. */
  readonly checked: (name: Exclude<StoreName, 'key'>, damage: string | null) => void
}

/**
 * What all threads answer health questions from, kept up to date; see {@link HEALTH}. The log tells once when a store fails,
 * and once when it can be used again.
 */
export function keepHealth(
  its: Repeating & {
    readonly clock: Clock
    readonly log: (level: 'info' | 'error', message: string) => void
  },
  stores: WatchedStores,
): Health {
  const {
    store,
    recorder,
    lastGood,
    keptKeys,
    vaultKey,
    health,
    fault: closed,
    named = {},
    effects = {},
  } = stores
  const cells = new Int32Array(health)
  Atomics.store(cells, HEALTH.recorder, 1)
  const known = new Map<StoreName, StoreFault | null>()
  /** By uses and probes, which do not read whole files. */
  const used = new Map<StoreName, Seen | null>()
  /** What checks of whole files have found. */
  const damages = new Map<StoreName, string>()
  let looks = 0
  let ahead = aheadOf(its.clock)
  /** Milliseconds of the last probe. */
  let probed = 0

  function show(name: StoreName, fault: StoreFault | null): void {
    const cell = HEALTH.faults + STORES.indexOf(name)
    Atomics.store(cells, cell, fault === null ? 0 : STORE_FAULTS.indexOf(fault) + 1)
  }

  function tell(name: StoreName, found: Seen | null): void {
    used.set(name, found)
    const damage = damages.get(name)
    const isChecked = damage !== undefined && (found === null || found.fault === 'slow')
    const seen: Seen | null = isChecked ? { fault: 'damaged', inner: damage } : found
    show(name, seen?.fault ?? null)
    const before = known.get(name) ?? null
    known.set(name, seen?.fault ?? null)
    if (seen?.fault === before || (seen === null && before === null)) return
    const what = named[name] ?? FILES[name]
    if (seen === null) its.log('info', `${what} can be used again`)
    else if (isChecked) its.log('error', `${what} is damaged: ${seen.inner}. ${REMEDY[name]}`)
    else if (seen.fault === 'slow') its.log('error', `${what} is slow: ${seen.inner}`)
    else
      its.log(
        'error',
        `${what} cannot be used (${seen.fault}): ${seen.inner}. ${effects[name] ?? EFFECT[name]}`,
      )
  }

  function checked(name: StoreName, damage: string | null): void {
    if (damage === null) damages.delete(name)
    else damages.set(name, damage)
    // Without a store, the fault of the start shows
    if (name !== 'config' || store !== null) tell(name, used.get(name) ?? null)
  }

  function tellConfig({ fault }: Probed): void {
    if (fault === null && probed > SLOW_MS) tell('config', { fault: 'slow', inner: slowly(probed) })
    else tell('config', fault && { fault: fault.fault, inner: fault.facts.inner ?? fault.message })
  }

  /** By log alone: the instance serves as before. */
  function tellJump(): void {
    const now = aheadOf(its.clock)
    const moved = now - ahead
    const [way, why] =
      moved > 0 ? ['forward', 'it was set, or the machine was suspended'] : ['back', 'it was set']
    if (Math.abs(moved) > JUMP_MS)
      its.log(
        'error',
        `The clock of this machine moved ${way} by ${Math.round(Math.abs(moved) / 60_000)} minutes: ${why}. Tokens and sessions may end early. If the clock is wrong, set it and restart Postern.`,
      )
    ahead = now
  }

  async function look(): Promise<void> {
    tellJump()
    const isProbe = looks++ % LOOKS_PER_PROBE === 0
    // Before the probe too, which may mend what a use has met
    if (store !== null) tellConfig(store)
    if (store !== null && (isProbe || store.fault !== null)) {
      const begun = performance.now()
      await store.probe()
      probed = performance.now() - begun
    }
    await Promise.all([lastGood.probe(), keptKeys.probe(), vaultKey.probe()])
    for (const [name, { fault }] of [
      ['serving', lastGood],
      ['idempotency', keptKeys],
      ['key', vaultKey],
    ] as const)
      tell(name, fault && { fault: fault.fault, inner: fault.facts.inner ?? fault.message })
    if (store !== null) tellConfig(store)
    Atomics.store(cells, HEALTH.store, store === null || store.fault !== null ? 0 : 1)
    const { running, dropped } = recorder.state
    Atomics.store(cells, HEALTH.recorder, running ? 1 : 0)
    Atomics.store(cells, HEALTH.recordsDropped, Math.min(dropped, 2 ** 31 - 1))
    Atomics.store(cells, HEALTH.looked, healthTime())
  }

  Atomics.store(cells, HEALTH.store, store === null ? 0 : 1)
  // The start has logged it
  if (closed !== null) show('config', closed.fault)
  recorder.watch((fault) => tell('records', fault))
  // At once too: a start on a full disk says so as soon as it is ready
  void look().catch((error: unknown) => its.fault(error, 'the state of the stores'))
  repeat(its, LOOK_MS, 'the state of the stores', look)
  return { cells: health, checked }
}

/** For damage that a check finds, in a file that is still in use. */
const REMEDY: Readonly<Record<StoreName, string>> = {
  config: 'Traffic is served. Stop Postern, restore a backup (postern restore --force), and start Postern.',
  records: 'Stop Postern, move the file away or restore a backup that has the records, and start Postern.',
  idempotency:
    'Restart Postern, which begins a new file. A repeated request then reaches its upstream again.',
  serving: 'Restart Postern, which creates the file again from config.db.',
  key: 'Restore the key file from your copy.',
}

const EFFECT: Readonly<Record<StoreName, string>> = {
  config: 'Traffic is served; management answers 503 store_unavailable until it can be used again.',
  records: 'Traffic is served; request records wait in memory, and are dropped and counted when it is full.',
  idempotency: 'Traffic is served; idempotency keys are kept only in memory and do not survive a restart.',
  key: 'Secrets can be decrypted until this process ends, but the next start is refused. Restore the key file from your copy.',
  serving: 'Traffic is served; a restart without config.db would not find the last known configuration.',
}

/** For the log. @param ms of one write */
function slowly(ms: number): string {
  return `a write took ${Math.round(ms)} ms. Traffic is served; changes wait, and their callers may time out.`
}

/** Milliseconds from the time that has passed to the clock. */
function aheadOf(clock: Clock): number {
  return clock.now() - clock.monotonic()
}
