/**
 * Asks databases and mail servers for the workflows of one gateway thread. It starts with the first question, and ends after two minutes
 * without one. Rules: `services/client.ts`, `services/desk.ts`.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { type ClockCell, createClock } from '../base/clock.ts'
import { createEgress, type EgressSettings } from '../base/net/egress.ts'
import { createDesk } from '../services/desk.ts'
import type { FromServices, ToServices } from '../services/port.ts'
import { createConnect } from '../services/socket.ts'

if (parentPort === null) throw new Error('threads/services.ts runs as a worker thread only')
const gateway = parentPort
const { egress, clockCell } = workerData as {
  readonly egress: EgressSettings
  readonly clockCell: ClockCell | null
}
const desk = createDesk(
  createConnect(createEgress(egress)),
  createClock(clockCell ?? undefined),
  (id, result) => gateway.postMessage({ id, result } satisfies FromServices),
)
gateway.on('message', (message: ToServices) => desk.take(message))
setInterval(() => desk.sweep(), 1000)
