/** Claim: with 10,000 governed clients the whole process takes at most 300 MB, and each further client at most 8 KB. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { missingTools } from './measure/machine.ts'
import { startPostern } from './measure/postern.ts'
import { createProcesses, type Processes, usageOf } from './measure/processes.ts'
import { type Outcome, skipped } from './measure/results.ts'
import { scratchDirectory } from './measure/scratch.ts'
import { CLIENTS, copyClient, seedGoverned, seedRoutes } from './measure/seed.ts'

/** Of clients that may call two collections. */
const COUNTS = [10_000, 30_000, 100_000]
const GOVERNED_MB_MAX = 300
const CLIENT_KB_MAX = 8
/** The engine gives memory back in the first seconds in which nothing happens. */
const SETTLE_MS = 15_000
const KB_PER_MB = 1024
/** Nothing is called: no server listens there. */
const UPSTREAM_PORT = 9

interface Started {
  readonly readyMs: number
  readonly rssMb: number
}

export async function clients(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['taskset'])
  if (missing.length > 0) return skipped('clients', missing)
  using scratch = scratchDirectory()
  await using processes = createProcesses()
  const rows: (readonly (number | string)[])[] = []
  /** The first start compiles everything. The second one takes what the first has stored. */
  const measure = async (what: string, count: number, data: string): Promise<number> => {
    const first = await started(processes, data)
    const again = await started(processes, data)
    const figures = [first.readyMs, first.rssMb, again.readyMs, again.rssMb].map(Math.round)
    rows.push([what, count, ...figures])
    console.log(`  ${count} clients, ${what}: ${figures.join(' ')}`)
    return again.rssMb
  }
  const directory = (name: string): string => {
    const data = join(scratch.path, name)
    mkdirSync(data)
    return data
  }

  const governed = directory('governed')
  await seedGoverned(processes, governed, UPSTREAM_PORT)
  const governedMb = await measure('50 collections, 20 networks', CLIENTS, governed)

  const small = directory('small')
  await seedRoutes(processes, small, UPSTREAM_PORT)
  const rss: number[] = []
  let made = 1
  const counts = quick ? COUNTS.slice(0, 2) : COUNTS
  for (const count of counts) {
    await copyClient(small, made, count, true)
    made = count
    rss.push(await measure('2 collections', count, small))
  }
  const clientKb = ((rss.at(-1)! - rss[0]!) * KB_PER_MB) / (counts.at(-1)! - counts[0]!)
  return {
    name: 'clients',
    title: 'Memory of the whole process with many clients, 1,000 routes, one gateway thread',
    bar: `${CLIENTS} governed clients within ${GOVERNED_MB_MAX} MB, each further client within ${CLIENT_KB_MAX} KB`,
    met: quick
      ? null
      : {
          'all of it': governedMb <= GOVERNED_MB_MAX,
          'a further client': clientKb <= CLIENT_KB_MAX,
        },
    comparisons: [],
    tables: [
      {
        columns: [
          ...['each client, with a profile and a token', 'clients'],
          ...['ready after compiling all, ms', 'RSS, MB', 'ready as stored, ms', 'RSS, MB'],
        ],
        rows,
      },
    ],
    facts: { 'KB for each client beyond the first 10,000': Math.round(clientKb * 10) / 10 },
  }
}

/** Starts the program on a directory and ends it when it has settled. */
async function started(processes: Processes, data: string): Promise<Started> {
  const { process, readyMs } = await startPostern(processes, data, { core: '0,1', workers: 1 })
  await new Promise((done) => setTimeout(done, SETTLE_MS))
  const rssMb = usageOf(process.pid).rssBytes / 1024 ** 2
  await process.end()
  return { readyMs, rssMb }
}
