/**
 * Sends records and audit entries to sinks. One for the process, started by the first active sink. Rules: `sinks/desk.ts`,
 * `control/sink-delivery.ts`.
 */
import { parentPort } from 'node:worker_threads'
import { createClock } from '../base/clock.ts'
import { createEgress } from '../base/net/egress.ts'
import { placesOf } from '../serve/places.ts'
import { createDesk } from '../sinks/desk.ts'
import type { SinksSetup, ToSinks } from '../sinks/port.ts'
import { threadData } from './data.ts'

if (parentPort === null) throw new Error('threads/sinks.ts runs as a worker thread only')
const main = parentPort
const setup = await threadData<SinksSetup>()
const reader = await placesOf(setup.database).records(setup.path).openReader()
const desk = createDesk(
  {
    ...setup,
    clock: createClock(setup.clockCell ?? undefined),
    egress: createEgress(setup.egress),
    reader,
  },
  (message) => main.postMessage(message),
)
main.on('message', (message: ToSinks) => desk.take(message))
