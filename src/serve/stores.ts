/** Opens all stores of an instance, and the threads that own them. */
import { join } from 'node:path'
import type { AccessFault } from '../base/files.ts'
import { isLoopbackHost } from '../base/net/address.ts'
import { createContactMemory } from '../fleet/shared/contact.ts'
import { COUNTER_SLOT, HEALTH } from '../fleet/shared/messages.ts'
import { createCounterMemory } from '../gateway/admit/counter-memory.ts'
import { createCounters } from '../gateway/admit/counters.ts'
import type { Counters } from '../gateway/admit/port.ts'
import type { KeysOfThreads } from '../gateway/idempotency/keys.ts'
import { compilerOf } from '../operations/engine/fragments.ts'
import type { RecordQueries } from '../operations/engine/ports.ts'
import type { QuerySetup, RecorderSetup } from '../record/messages.ts'
import { createFreshQueries, createRecordQueries } from '../record/query-client.ts'
import { type Recorder, startRecorder } from '../record/recorder-client.ts'
import { nodesOf } from '../store/ports/places.ts'
import type { Probed } from '../store/ports/unavailable.ts'
import type { SharedDatabase } from '../store/postgres/shared-state/database.ts'
import type { SharedRows } from '../store/postgres/shared-state/rows.ts'
import { filesIn } from '../upkeep/data-files.ts'
import { openIdempotencyKeys } from '../upkeep/kept/idempotency-keys.ts'
import { createLastGood, type LastGoodSnapshot, tellLastGood } from '../upkeep/kept/last-good.ts'
import { openSharedKeys, SHARED_KEYS_EFFECT } from '../upkeep/kept/shared-keys.ts'
import { isInside, keyBesideData } from '../upkeep/key-place.ts'
import { demandHome } from '../upkeep/moved.ts'
import {
  type Configuration,
  compilerVersion,
  copyForReading,
  lostKey,
  openConfiguration,
  openUpgraded,
  type ReadingPlace,
} from '../upkeep/start/configuration.ts'
import { clearDamagedFiles } from '../upkeep/start/damaged-files.ts'
import { watchKeyFile } from '../upkeep/start/key-watch.ts'
import { VERSION } from '../version.ts'
import { startLeases } from './leases.ts'
import { type EnteringNodes, openNodes } from './nodes.ts'
import { convertStores, openShared, openSharedRows, PLACES, placesOf } from './places.ts'
import type { Start } from './start.ts'

/** Names them in the log when something about them fails. */
export const ROWS = 'rows that nodes share'

/** All that an instance keeps, and the threads that keep it. */
export interface Stores extends Configuration {
  readonly lastGood: LastGoodSnapshot
  /** Names what compiles fragments in this process. */
  readonly compiler: string
  readonly keys: KeysOfThreads
  /** What keeps the keys over a restart. */
  readonly keptKeys: Probed
  /** The file of the master key. */
  readonly vaultKey: Probed
  /** What the nodes on one database share; null for files. */
  readonly shared: SharedDatabase | null
  /** Links, keys and tokens used once among it. */
  readonly rows: SharedRows | null
  /** This node among them. */
  readonly nodes: EnteringNodes | null
  /** Resolves with the reason when this node may not be among the others, and has left. */
  readonly excluded: Promise<string>
  /** See fleet/shared/contact; null without a bound. */
  readonly contact: SharedArrayBuffer | null
  /** Why the data directory may not be written; null when it may. */
  readonly readOnly: AccessFault | null
  /** See {@link HEALTH}. */
  readonly health: SharedArrayBuffer
  readonly counterMemory: SharedArrayBuffer
  /** As the main thread counts. */
  readonly counters: Counters
  /** How the log names what is in a database. */
  readonly named: { readonly config?: string; readonly records?: string; readonly idempotency?: string }
  /** What follows where that cannot be used. */
  readonly effects: { readonly idempotency?: string }
  /** Where readers of records find them. */
  readonly recordsPlace: Pick<QuerySetup, 'path' | 'database'>
  readonly recorder: Recorder
  readonly records: RecordQueries
}

/**
 * Takes the data directory and opens what the main thread owns in it. Throws CannotStart as the stores do.
 * @param regrouped told when other nodes are counted than before
 */
export async function openOwnStores(its: Start, regrouped: () => void = () => {}) {
  const { settings, clock, log, fault, parts } = its
  const places = placesOf(settings.database)
  const files = filesIn(settings.data, places)
  const lock = await files.lock.takeForStart()
  parts.defer(() => lock.release())
  demandHome(settings.data, places)
  const keyFile = settings.keyFile ?? join(settings.data, 'vault.key')
  if (settings.database === null) {
    const converted = { config: files.config.file, records: files.records.file, keys: files.keys.file }
    await convertStores(converted, lock.readOnly, log)
  }
  if (lock.readOnly === null) await clearDamagedFiles(settings.data, files, keyFile, log)
  const place: ReadingPlace =
    lock.readOnly === null
      ? { path: settings.data, readOnly: null }
      : copyForReading({ files, log, parts }, lock.readOnly)
  const served = filesIn(place.path, places)
  const lastGoodStore = await served.lastGood.open()
  parts.defer(() => lastGoodStore.close())
  const isWritable = place.readOnly === null
  const report = tellLastGood({ file: files.lastGood.file, isWritable, log, fault })
  const lastGood = createLastGood(lastGoodStore, report)
  const health = new SharedArrayBuffer(HEALTH.cells * Int32Array.BYTES_PER_ELEMENT)
  const contact = settings.staleMaxMs === null ? null : createContactMemory()
  const shared = settings.database === null ? null : await openShared(settings.database)
  parts.defer(() => shared?.close())
  const nodes = settings.database === null ? null : await openNodes(its, { health, contact }, regrouped)
  const version = compilerVersion(VERSION, (await places.knownSchemas()).newest)
  const configuration = await openConfiguration({
    settings,
    async enter() {
      shared?.begin()
      await nodes?.enter()
    },
    isNewNode: nodes?.isNew ?? false,
    otherNodes: () => nodesOf(files.config, nodes?.group().self),
    keyFile,
    files: {
      ...files,
      config: {
        ...files.config,
        open: (environment) => openUpgraded(files.config, log, () => files.config.open(environment)),
      },
    },
    lastGood,
    clock,
    version,
    log,
    fault,
    readOnly: place.readOnly,
  })
  parts.defer(() => configuration.store?.close())
  const excluded = Promise.withResolvers<string>()
  const { store, vault } = configuration
  if (store !== null) nodes?.guard(() => lostKey(store, vault, keyFile), excluded.resolve)
  // To who tries Postern out on one machine it says nothing; `postern doctor` does
  const isReachable = !isLoopbackHost(settings.listen.host) || !isLoopbackHost(settings.controlListen.host)
  if (isReachable && isInside(keyFile, settings.data)) log('warn', keyBesideData(keyFile))
  for (const { level, text } of configuration.notes) log(level, text)
  if (configuration.fault !== null) log('error', configuration.fault.log)
  const rows =
    shared === null
      ? null
      : await openSharedRows(shared, configuration.vault.linksKey(), clock, (error) => fault(error, ROWS))
  const keyStore = await openUpgraded(served.keys, log, () => served.keys.open())
  parts.defer(() => keyStore.close())
  const sealKey = configuration.vault.answersKey()
  const { keys, kept: keptKeys } =
    rows === null || nodes === null
      ? openIdempotencyKeys({
          ...its,
          store: keyStore,
          sealKey,
          unwritable: place.readOnly === null ? null : { file: files.keys.file, fault: place.readOnly },
        })
      : openSharedKeys({ ...its, rows: rows.keys, file: keyStore, sealKey, node: nodes.identity })
  const vaultKey = watchKeyFile(keyFile, configuration.vault)
  return {
    ...configuration,
    compiler: compilerOf(version),
    lastGood,
    keys,
    keptKeys,
    vaultKey,
    shared,
    rows,
    nodes,
    health,
    contact,
    excluded: excluded.promise,
    readOnly: place.readOnly,
  }
}

/** Opens all that is in the data directory, records in threads of their own. Throws CannotStart as the stores do. */
export async function openStores(its: Start): Promise<Stores> {
  const { settings, clockCell, log, parts, workers } = its
  const counterMemory = createCounterMemory(undefined, settings.valkey !== null)
  const counters = createCounters(counterMemory, COUNTER_SLOT.main)
  let regrouped = (): void => {}
  const own = await openOwnStores(its, () => regrouped())
  const { readOnly, nodes } = own
  const place = filesIn(settings.data, placesOf(settings.database)).records
  const path = filesIn(settings.data, PLACES).records.file
  const { database } = settings
  const recorderSetup: RecorderSetup = {
    path,
    database,
    readOnly: readOnly && `${readOnly.found}. ${readOnly.fix}`,
    retentionMs: settings.recordsKeepMs,
    bytesMax: settings.recordsBytesMax,
    environment: settings.environment,
    clockCell,
    counters: counterMemory,
    nodes: null,
  }
  const start = () =>
    startRecorder(
      () => workers.start('recorder', { ...recorderSetup, nodes: nodes?.group() ?? null }),
      (text) => log('error', text),
    )
  const recorder = await (readOnly === null ? openUpgraded(place, log, start) : start())
  parts.defer(() => recorder.stop())
  regrouped = () => {
    const group = nodes!.group()
    // Fewer count only when the recorder has read what those that left have counted
    if (group.live.length > counters.nodes) counters.setNodes(group.live.length)
    recorder.setNodes(group)
  }
  // Nodes may have joined while the recorder started
  if (nodes !== null) regrouped()
  nodes?.report(() => ({ recordsWaiting: recorder.state.queued }))
  startLeases(
    its,
    { ...own, counters, counterMemory },
    own.vault.fingerprint('limits in Valkey').slice(0, 12),
  )
  const querySetup: QuerySetup = { path, database, clockCell }
  const queries = createRecordQueries(() => workers.start('query', querySetup))
  parts.defer(() => queries.close())
  return {
    ...own,
    named:
      database === null
        ? {}
        : {
            config: 'the database',
            records: 'the database of request records',
            idempotency: 'the database of idempotency keys',
          },
    effects: database === null ? {} : { idempotency: SHARED_KEYS_EFFECT },
    counterMemory,
    counters,
    recordsPlace: { path, database },
    recorder,
    records: createFreshQueries(recorder, queries),
  }
}
