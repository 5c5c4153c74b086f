/** Claim: `postern up` on an empty directory is ready in about 1.5 s, and idles within 250 MB with two gateway threads. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { missingTools } from './measure/machine.ts'
import { startPostern } from './measure/postern.ts'
import { createProcesses, usageOf } from './measure/processes.ts'
import { type Outcome, skipped } from './measure/results.ts'
import { median } from './measure/rounds.ts'
import { scratchDirectory } from './measure/scratch.ts'

const IDLE_MS = 3000

export async function start(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['taskset'])
  if (missing.length > 0) return skipped('start', missing)
  using scratch = scratchDirectory()
  const ready: number[] = []
  const rss: number[] = []
  for (let round = 0; round < (quick ? 3 : 7); round++) {
    await using processes = createProcesses()
    const data = join(scratch.path, `data-${round}`)
    mkdirSync(data)
    const postern = await startPostern(processes, data, { core: '0,1', workers: 2 })
    await new Promise((done) => setTimeout(done, IDLE_MS))
    ready.push(postern.readyMs)
    rss.push(usageOf(postern.process.pid).rssBytes / 1024 ** 2)
    console.log(`  ready after ${Math.round(postern.readyMs)} ms, idle at ${Math.round(rss.at(-1)!)} MB`)
  }
  return {
    name: 'start',
    title: 'Start on an empty directory, two gateway threads, code compiled by an earlier start',
    bar: 'ready in about 1.5 s, at most 250 MB idle',
    met: median(ready) <= 1500 && median(rss) <= 250,
    comparisons: [],
    facts: {
      'ready, ms (median)': Math.round(median(ready)),
      'ready, ms (slowest)': Math.round(Math.max(...ready)),
      'RSS idle, MB (median)': Math.round(median(rss)),
    },
  }
}
