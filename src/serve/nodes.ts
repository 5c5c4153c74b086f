/** The node of this process: one of several where its data is in a database, else alone. */
import { randomUUID } from 'node:crypto'
import { readFileSync, realpathSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { repeat } from '../base/clock.ts'
import { replaceOwnFile } from '../base/files.ts'
import { textHash } from '../base/json/canonical.ts'
import { createNodes, HEARTBEAT_MS, type Nodes } from '../fleet/main/nodes.ts'
import { HEALTH } from '../fleet/shared/messages.ts'
import type { NodePort } from '../operations/engine/ports.ts'
import type { Settings } from '../settings.ts'
import { NODE_FILE } from '../store/ports/places.ts'
import type { SharedDatabase } from '../store/postgres/shared-state/database.ts'
import { VERSION } from '../version.ts'
import { openNodeTable } from './places.ts'
import type { Start } from './start.ts'
import type { Stores } from './stores.ts'

/** A node that has not entered yet. @param health see {@link HEALTH} */
export async function openNodes(
  its: Start,
  shared: SharedDatabase,
  health: SharedArrayBuffer,
): Promise<Nodes> {
  const { settings, clock, log, fault, parts } = its
  const nodes = createNodes({
    table: await openNodeTable(shared, settings.databaseDirect ?? settings.database!),
    id: keptId(settings.data),
    drawId: () => drawId(settings.data),
    name: nameOf(settings.listen),
    place: textHash(`${hostname()} ${realpathSync(settings.data)}`),
    clock,
    version: VERSION,
    counted: () => {},
    drained: (isDraining) => setDrained(health, isDraining),
    log,
  })
  parts.defer(() => nodes.leave())
  repeat({ parts, fault }, HEARTBEAT_MS, 'the heartbeat of this node', () => nodes.beat())
  return nodes
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
      const facts = { version: VERSION, recordsWaiting: recorder.state.queued, skewMs: 0 }
      const revision = (await store?.read.revision()) ?? first.revision
      const row = {
        id,
        epoch: 1,
        name: nameOf(listen),
        facts,
        revision,
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
