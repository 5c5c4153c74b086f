/**
 * Claims: `postern up` from its bundle takes at most 0.4 of the CPU that it takes from sources, idles within 190 MB with two gateway threads, and
 * is ready in 1.5 s with 1,000 routes and 10,000 clients.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { makeBundle } from '../build/bundle.ts'
import { findBundle } from '../src/base/bundle.ts'
import { PROGRAM } from '../src/base/program.ts'
import { missingTools } from './measure/machine.ts'
import { startPostern } from './measure/postern.ts'
import { createProcesses, usageOf } from './measure/processes.ts'
import { type Outcome, skipped } from './measure/results.ts'
import { median } from './measure/rounds.ts'
import { scratchDirectory } from './measure/scratch.ts'
import { seedGoverned } from './measure/seed.ts'

const IDLE_MS = 3000
const UPSTREAM_PORT = 9000
const READY_MS_MAX = 1500
const CPU_SHARE_MAX = 0.4
const IDLE_MB_MAX = 190

interface Start {
  readonly readyMs: number
  /** CPU of all threads until it is ready. */
  readonly cpuMs: number
  readonly idleMb: number
}

async function started(data: string, fromSources: boolean): Promise<Start> {
  await using processes = createProcesses()
  const { process, readyMs } = await startPostern(processes, data, { core: '0,1', workers: 2, fromSources })
  const cpuMs = usageOf(process.pid).cpuSeconds * 1000
  await new Promise((done) => setTimeout(done, IDLE_MS))
  return { readyMs, cpuMs, idleMb: usageOf(process.pid).rssBytes / 1024 ** 2 }
}

export async function start(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['taskset'])
  if (missing.length > 0) return skipped('start', missing)
  if (findBundle(PROGRAM) === null) await makeBundle(PROGRAM)
  using scratch = scratchDirectory()
  const directory = (name: string): string => {
    const data = join(scratch.path, name)
    mkdirSync(data)
    return data
  }
  const large = directory('large')
  {
    await using processes = createProcesses()
    await seedGoverned(processes, large, UPSTREAM_PORT)
  }
  // Once each for the code that is compiled, and the large directory for what its fragments are
  for (const fromSources of [true, false]) await started(directory(`first-${fromSources}`), fromSources)
  await started(large, false)
  const runs = { sources: [] as Start[], bundle: [] as Start[], large: [] as Start[] }
  for (let round = 0; round < (quick ? 3 : 7); round++) {
    runs.sources.push(await started(directory(`sources-${round}`), true))
    runs.bundle.push(await started(directory(`bundle-${round}`), false))
    runs.large.push(await started(large, false))
    for (const [name, all] of Object.entries(runs)) {
      const { readyMs, cpuMs, idleMb } = all.at(-1)!
      const [ready, cpu, mb] = [readyMs, cpuMs, idleMb].map(Math.round)
      console.log(`  ${name}: ready after ${ready} ms and ${cpu} ms of CPU, idle at ${mb} MB`)
    }
  }
  const of = (all: readonly Start[], figure: keyof Start): number => median(all.map((one) => one[figure]))
  const share = of(runs.bundle, 'cpuMs') / of(runs.sources, 'cpuMs')
  const idleMb = of(runs.bundle, 'idleMb')
  const largeMs = of(runs.large, 'readyMs')
  return {
    name: 'start',
    title: 'Start with two gateway threads, code compiled by an earlier start',
    bar: `CPU of a start within ${CPU_SHARE_MAX} of that from sources, at most ${IDLE_MB_MAX} MB idle, ready within ${READY_MS_MAX} ms with 1,000 routes and 10,000 clients`,
    met: share <= CPU_SHARE_MAX && idleMb <= IDLE_MB_MAX && largeMs <= READY_MS_MAX,
    comparisons: [],
    facts: { 'CPU from the bundle against sources': share.toFixed(2) },
    tables: [
      {
        columns: ['start', 'ready, ms', 'slowest, ms', 'CPU until ready, ms', 'idle, MB'],
        rows: (
          [
            ['empty directory, from sources', runs.sources],
            ['empty directory, from the bundle', runs.bundle],
            ['1,000 routes and 10,000 clients, from the bundle', runs.large],
          ] as const
        ).map(([name, all]) => [
          name,
          Math.round(of(all, 'readyMs')),
          Math.round(Math.max(...all.map(({ readyMs }) => readyMs))),
          Math.round(of(all, 'cpuMs')),
          Math.round(of(all, 'idleMb')),
        ]),
      },
    ],
  }
}
