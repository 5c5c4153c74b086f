/** Starts the thread that counts limits in Valkey, and replaces it when it ends. */
import { randomUUID } from 'node:crypto'
import { tellValkey } from '../fleet/shared/valkey-state.ts'
import type { Counters } from '../gateway/admit/port.ts'
import type { FromLeases, LeasesSetup } from '../threads/leases.ts'
import type { Start } from './start.ts'

/** What all threads count in. @see health of HEALTH in fleet/shared/messages */
interface Counting {
  readonly counters: Counters
  readonly counterMemory: SharedArrayBuffer
  readonly health: SharedArrayBuffer
}

const RESTART_MS = 1000
/** How long the thread may take to end, milliseconds. */
const STOP_MS = 1000

/** @param installation names the installation in the keys of its counters */
export function startLeases(
  { settings, clock, clockCell, log, parts, workers }: Start,
  { counters, counterMemory, health }: Counting,
  installation: string,
): void {
  const address = settings.valkey
  if (address === null) return
  let isStopping = false
  let end = (): Promise<void> => Promise.resolve()
  // Until the thread has reached the server
  counters.setLeaseState('down')
  tellValkey(new Int32Array(health), false, clock.now())

  function start(): void {
    // Places that a thread held before are those of another node, until they lapse
    const setup: LeasesSetup = {
      address: address!,
      counters: counterMemory,
      health,
      clockCell,
      node: randomUUID(),
      installation,
    }
    const worker = workers.start('leases', setup)
    worker.on('message', ({ level, message }: FromLeases) => log(level, message))
    worker.on('error', (error) =>
      log('error', `The thread that counts limits in Valkey has failed: ${String(error)}`),
    )
    worker.on('exit', () => {
      if (isStopping) return
      counters.setLeaseState('down')
      tellValkey(new Int32Array(health), false, clock.now())
      const timer = setTimeout(start, RESTART_MS)
      end = async () => clearTimeout(timer)
    })
    end = async () => {
      const timer = setTimeout(() => void worker.terminate(), STOP_MS)
      const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
      worker.postMessage('stop')
      await ended
      clearTimeout(timer)
    }
  }

  start()
  parts.defer(() => {
    isStopping = true
    return end()
  })
}
