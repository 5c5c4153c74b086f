/**
 * Counts limits in Valkey for all gateway threads: it fetches the leases that they ask for. One for the process, where
 * `POSTERN_VALKEY_URL` is set. It has no other work that a request would wait for. Rules: `gateway/admit/lease-desk.ts`.
 */
import { parentPort } from 'node:worker_threads'
import { createClock } from '../base/clock.ts'
import type { ValkeyAddress } from '../base/net/valkey-url.ts'
import { COUNTER_SLOT } from '../fleet/shared/messages.ts'
import { tellValkey } from '../fleet/shared/valkey-state.ts'
import { openCounterTables } from '../gateway/admit/counter-memory.ts'
import { createLeaseDesk } from '../gateway/admit/lease-desk.ts'
import { LEASE_SCRIPTS } from '../gateway/admit/lease-scripts.ts'
import { openValkey } from '../serve/places.ts'
import { threadData } from './data.ts'

export interface LeasesSetup {
  readonly address: ValkeyAddress
  readonly counters: SharedArrayBuffer
  /** See HEALTH of fleet/shared/messages. */
  readonly health: SharedArrayBuffer
  readonly clockCell: SharedArrayBuffer | null
  /** Names this process among all nodes. */
  readonly node: string
  /** Before the keys of this installation: others may use the same server. */
  readonly installation: string
}

export interface FromLeases {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
}

if (parentPort === null) throw new Error('threads/leases.ts runs as a worker thread only')
const main = parentPort
const setup = await threadData<LeasesSetup>()
const say = (level: FromLeases['level'], message: string): void =>
  main.postMessage({ level, message } satisfies FromLeases)
const tables = openCounterTables(setup.counters, COUNTER_SLOT.leases)
// One that died may have held a lock
for (const table of [tables.table, tables.keyed, tables.failures]) table.releaseDead(COUNTER_SLOT.leases)
const clock = createClock(setup.clockCell ?? undefined)
const valkey = await openValkey({ address: setup.address, scripts: LEASE_SCRIPTS, log: say })
const health = new Int32Array(setup.health)
const desk = createLeaseDesk({
  tables,
  valkey,
  clock,
  node: setup.node,
  installation: setup.installation,
  changed: (isUp) => tellValkey(health, isUp, clock.now()),
  fault: (error) =>
    say(
      'warn',
      `Limits are not counted in Valkey at the moment (${error instanceof Error ? error.message : String(error)}). Each node admits its part of them, or what on_store_failure of the policy says.`,
    ),
})
valkey.whenChanged(() => void desk.tick())
main.once('message', () => {
  desk.close()
  void valkey.close().then(() => main.close())
})
void desk.run()
