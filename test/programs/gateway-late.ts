/** A gateway thread that takes its first snapshot at once and every later one when it is let; see `cells`. */
import { parentPort, workerData } from 'node:worker_threads'
import {
  type FromGateway,
  type GatewayInit,
  HEALTH,
  type ToGateway,
} from '../../src/fleet/shared/messages.ts'
import { sendHeartbeats } from '../../src/fleet/shared/readiness.ts'

const main = parentPort!
const init = workerData as GatewayInit
// Memory that it is given anyway, used in its own way: 0 counts what has arrived, 1 what may be applied.
const cells = new Int32Array(init.counters)
const say = (message: FromGateway): void => main.postMessage(message)

/** Spins from the third snapshot on, for as long as cell 2 is 1. */
const mayHang = cells.length > 2
if (mayHang) sendHeartbeats({ health: new Int32Array(init.health), cell: HEALTH.heartbeats + init.slot })

let started = false

main.on('message', (message: ToGateway) => {
  if (message.kind === 'drain') return say({ kind: 'drained' })
  if (message.kind !== 'snapshot') return
  const number = Atomics.add(cells, 0, 1)
  Atomics.notify(cells, 0)
  while (Atomics.load(cells, 1) < number) Atomics.wait(cells, 1, Atomics.load(cells, 1))
  while (mayHang && Atomics.load(cells, 2) === 1);
  say({ kind: 'applied', faults: [] })
  if (!started) say({ kind: 'listening' })
  started = true
})
