/** The node of this process: one of several where its data is in a database, else alone. */
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { repeat } from '../base/clock.ts'
import { replaceOwnFile } from '../base/files.ts'
import { textHash } from '../base/json/canonical.ts'
import { createNodeEvents } from '../fleet/main/node-events.ts'
import { createNodes, HEARTBEAT_MS, type Nodes } from '../fleet/main/nodes.ts'
import { renewContact } from '../fleet/shared/contact.ts'
import { HEALTH } from '../fleet/shared/messages.ts'
import type { NodePort } from '../operations/engine/ports.ts'
import type { Settings } from '../settings.ts'
import type { Event } from '../shared-state/ports/events.ts'
import type { EventTable } from '../store/ports/nodes.ts'
import { NODE_FILE } from '../store/ports/places.ts'
import { VERSION } from '../version.ts'
import { openEventTable, openNodeTable, openShared } from './places.ts'
import type { Start } from './start.ts'
import type { Stores } from './stores.ts'

/** A node whose clock differs more from that of the database is not ready, milliseconds. */
const SKEW_MS_MAX = 30_000

/** This node, and what the nodes tell each other. */
export interface EnteringNodes extends Nodes {
  /** The data directory had no id of a node. */
  readonly isNew: boolean
  readonly events: EventTable
}

/** A node that has not entered yet. @see health of {@link HEALTH} @see contact of fleet/shared/contact */
export async function openNodes(
  its: Start,
  { health, contact }: { readonly health: SharedArrayBuffer; readonly contact: SharedArrayBuffer | null },
  regrouped: () => void,
): Promise<EnteringNodes> {
  const { settings, clock, log, fault, parts } = its
  const database = settings.database!
  // Connections of its own, so that no heartbeat waits behind requests
  const shared = await openShared(database)
  parts.defer(() => shared.close())
  const cells = new Int32Array(health)
  Atomics.store(cells, HEALTH.nodes, 1)
  const isNew = !existsSync(join(settings.data, NODE_FILE))
  const nodes = createNodes({
    table: await openNodeTable(shared, settings.databaseDirect ?? database),
    id: keptId(settings.data),
    drawId: () => drawId(settings.data),
    name: nameOf(settings.listen),
    place: textHash(`${hostname()} ${realpathSync(settings.data)}`),
    clock,
    version: VERSION,
    counted(count) {
      Atomics.store(cells, HEALTH.nodes, count)
      regrouped()
    },
    seen(silent, skewMs) {
      Atomics.store(cells, HEALTH.nodesSilent, silent)
      Atomics.store(cells, HEALTH.skewed, Math.abs(skewMs) > SKEW_MS_MAX ? 1 : 0)
    },
    drained: (isDraining) => setDrained(health, isDraining),
    inContact(since) {
      if (contact !== null && settings.staleMaxMs !== null) renewContact(contact, since, settings.staleMaxMs)
    },
    staleMaxMs: settings.staleMaxMs,
    log,
  })
  parts.defer(() => nodes.leave())
  repeat({ parts, fault }, HEARTBEAT_MS, 'the heartbeat of this node', () => nodes.beat())
  return {
    ...nodes,
    isNew,
    events: await openEventTable(shared),
    enter() {
      shared.begin()
      return nodes.enter()
    },
  }
}

/** Which events other nodes are told of; the ends of grants are rows that each node reads. */
const isTold = ({ topic }: Event): boolean => topic !== 'grant_ended'

/** Carries events to the other nodes, and theirs to `deliver`. Null where there are none. */
export async function openNodeEvents(
  { log }: Start,
  { nodes, vault }: Pick<Stores, 'nodes' | 'vault'>,
  deliver: (event: Event) => void,
): Promise<{ readonly publish: (event: Event) => void; readonly sweep: () => Promise<void> } | null> {
  if (nodes === null) return null
  const table = nodes.events
  const events = createNodeEvents({
    table,
    key: vault.eventsKey(),
    self: () => nodes.group().self,
    hasOthers: () => nodes.others().length > 0,
    deliver,
    log,
  })
  nodes.hear(events)
  return { publish: (event) => isTold(event) && events.publish(event), sweep: () => table.sweep() }
}

/** The node of an instance whose data is in files. */
export function aloneNodes(
  { recorder, store, first, health }: Pick<Stores, 'recorder' | 'store' | 'first' | 'health'>,
  { listen }: Pick<Settings, 'listen'>,
): NodePort {
  const id = randomUUID()
  const joinedAt = Date.now()
  let isDraining = false
  return {
    async read() {
      const facts = { version: VERSION, recordsWaiting: recorder.state.queued, skewMs: 0, staleMaxMs: null }
      const revision = (await store?.read.revision()) ?? first.revision
      const row = {
        id,
        epoch: 1,
        name: nameOf(listen),
        facts,
        held: { revision, ended: 0 },
        isDraining,
        silentMs: 0,
        joinedAt,
        counted: [id],
      }
      return { rows: [row], self: id, now: Date.now() }
    },
    async drain(node, draining) {
      if (node !== id) return false
      isDraining = draining
      setDrained(health, draining)
      return true
    },
    remove: async () => false,
  }
}

function nameOf({ port }: Settings['listen']): string {
  return `${hostname()}:${port}`
}

function setDrained(health: SharedArrayBuffer, isDraining: boolean): void {
  Atomics.store(new Int32Array(health), HEALTH.drained, isDraining ? 1 : 0)
}

/** The id of a data directory. Where it cannot be written, each process has an id of its own. */
function keptId(directory: string): string {
  try {
    const { id } = JSON.parse(readFileSync(join(directory, NODE_FILE), 'utf8')) as { id?: unknown }
    if (typeof id === 'string' && /^[0-9a-f-]{36}$/.test(id)) return id
  } catch {
    // Drawn anew
  }
  return drawId(directory)
}

function drawId(directory: string): string {
  const id = randomUUID()
  try {
    replaceOwnFile(join(directory, NODE_FILE), `${JSON.stringify({ id })}\n`)
  } catch {
    // The next start is another node; this one is named in changes until it is removed
  }
  return id
}
