/** A gateway thread that takes its first snapshot at once and every later one when it is let; see `cells`. */
import { parentPort, workerData } from 'node:worker_threads'
import type { FromGateway, GatewayInit, ToGateway } from '../../src/threads/messages.ts'

const main = parentPort!
const init = workerData as GatewayInit
// Memory that it is given anyway, used in its own way: 0 counts what has arrived, 1 what may be applied.
const cells = new Int32Array(init.counters)
const say = (message: FromGateway): void => main.postMessage(message)

let started = false

main.on('message', (message: ToGateway) => {
  if (message.kind === 'drain') return say({ kind: 'drained' })
  if (message.kind !== 'snapshot') return
  const number = Atomics.add(cells, 0, 1)
  Atomics.notify(cells, 0)
  while (Atomics.load(cells, 1) < number) Atomics.wait(cells, 1, Atomics.load(cells, 1))
  say({ kind: 'applied', faults: [] })
  if (!started) say({ kind: 'listening' })
  started = true
})
