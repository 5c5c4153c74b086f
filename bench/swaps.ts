/**
 * Claim: 10,000 changes of the configuration under load fail no request, close no connection and touch no stream; a change
 * at 5,000 routes is in force in about 100 ms.
 */
import { readFileSync } from 'node:fs'
import { startHeld } from './measure/held.ts'
import { CONNECTIONS, startLoad } from './measure/load.ts'
import { missingTools } from './measure/machine.ts'
import { createProcesses } from './measure/processes.ts'
import { type Outcome, skipped } from './measure/results.ts'
import { scratchDirectory } from './measure/scratch.ts'
import { OPEN, openClient, startManaged, startUpstreamSomewhere } from './measure/stand.ts'
import { addCollection, pathOf, slugOf } from './routes.ts'

const CHANGES = 10_000
const COLLECTIONS = 50
const ROUTES_EACH = 100

export async function swaps(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['nginx', 'wrk', 'taskset'])
  if (missing.length > 0) return skipped('swaps', missing)
  using scratch = scratchDirectory()
  await using processes = createProcesses()
  const upstreamPort = await startUpstreamSomewhere(processes, scratch.path)
  const { postern, call } = await startManaged(processes, scratch.path, { core: '0,1', workers: 2 })
  console.log(`  making ${COLLECTIONS * ROUTES_EACH} routes`)
  for (let index = 0; index < COLLECTIONS; index++)
    await addCollection(call, index, ROUTES_EACH, upstreamPort)
  const slugs = Array.from({ length: COLLECTIONS }, (_, index) => slugOf(index))
  await openClient(call, slugs)
  using held = await startHeld(postern, call)

  const url = `${postern.gateway}/${slugOf(0)}${pathOf(0)}/42/items/7`
  const changes = quick ? CHANGES / 20 : CHANGES
  const load = startLoad(processes, url, OPEN)
  const port = Number(new URL(postern.gateway).port)
  while (callersOf(port).size < CONNECTIONS) await new Promise((later) => setTimeout(later, 50))
  const first = callersOf(port)
  const took: number[] = []
  for (let change = 0; change < changes; change++) {
    const begun = performance.now()
    // The collections that are called, so that every change takes their routes and pools along
    const slug = change % 2 === 0 ? slugOf(0) : 'held'
    await call('PATCH', `/collections/${slug}`, { headers: [{ name: 'X-Change', value: String(change) }] })
    took.push(performance.now() - begun)
    if ((change + 1) % 1000 === 0) console.log(`  ${change + 1} changes`)
  }
  const kept = [...callersOf(port)].filter((caller) => first.has(caller)).length
  const seen = await load.stop()
  const { broken, events, bytes, messages } = await held.end()
  took.sort((a, b) => a - b)
  const at = (share: number): number => Math.round(took[Math.floor((took.length - 1) * share)]! * 10) / 10
  return {
    name: 'swaps',
    title: `${changes} changes under load, ${COLLECTIONS * ROUTES_EACH} routes, two gateway threads`,
    bar: 'no failed request, no connection closed, no byte of a stream or WebSocket lost or out of order; a change in force after about 100 ms (p99, reported)',
    met: seen.errors === 0 && kept === first.size && broken.length === 0,
    comparisons: [],
    facts: {
      changes,
      'requests meanwhile': seen.requests,
      'failed requests': seen.errors,
      [`of ${first.size} connections open at the first change, open at the last`]: kept,
      'held open all the time': `a stream of ${events} events, a download of ${bytes} bytes, a WebSocket of ${messages} echoes`,
      'of these broken': broken.length === 0 ? 'none' : broken.join('; '),
      'from the change to its answer, when it is in force, p50 ms': at(0.5),
      'the same, p99 ms': at(0.99),
    },
  }
}

/** Ports of those who are connected to a port of this machine. */
function callersOf(port: number): Set<string> {
  const callers = new Set<string>()
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
    const [, local, remote, state] = line.trim().split(/\s+/)
    // 01: established; proc(5)
    if (local?.endsWith(wanted) === true && state === '01') callers.add(remote!)
  }
  return callers
}
