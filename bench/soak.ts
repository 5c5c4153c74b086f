/** Claim: at half load memory stays flat. Ten minutes; run when it is named only. */
import { delayedScript, runLoad } from './measure/load.ts'
import { missingTools } from './measure/machine.ts'
import { createProcesses, usageOf } from './measure/processes.ts'
import { type Outcome, skipped } from './measure/results.ts'
import { scratchDirectory } from './measure/scratch.ts'
import { OPEN, openClient, startManaged, startUpstreamSomewhere } from './measure/stand.ts'
import { addCollection, pathOf, slugOf } from './routes.ts'

const MINUTES = 10
/** Growth that the noise of a garbage collector's heap can hide. */
const MB_PER_MINUTE_MAX = 1
const SAMPLE_MS = 5000
/** Between a connection's requests; with 64 connections about half of what one core carries. */
const DELAY_MS = 6

export async function soak(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['nginx', 'wrk', 'taskset'])
  if (missing.length > 0) return skipped('soak', missing)
  using scratch = scratchDirectory()
  await using processes = createProcesses()
  const upstreamPort = await startUpstreamSomewhere(processes, scratch.path)
  const { postern, call } = await startManaged(processes, scratch.path, { core: 0, workers: 1 })
  await addCollection(call, 0, 100, upstreamPort)
  await openClient(call, [slugOf(0)])
  const script = delayedScript(scratch.path, DELAY_MS)

  const minutes = quick ? 0.5 : MINUTES
  const samples: { readonly minute: number; readonly mb: number }[] = []
  const begun = performance.now()
  const timer = setInterval(() => {
    const minute = (performance.now() - begun) / 60_000
    samples.push({ minute, mb: usageOf(postern.process.pid).rssBytes / 1024 ** 2 })
  }, SAMPLE_MS)
  const url = `${postern.gateway}/${slugOf(0)}${pathOf(0)}/42/items/7`
  const load = await runLoad(processes, url, minutes * 60, OPEN, script)
  clearInterval(timer)
  // The first third is the heap finding its size.
  const slope = slopeOf(samples.slice(Math.floor(samples.length / 3)))
  return {
    name: 'soak',
    title: `${minutes} minutes at half load, one gateway thread`,
    bar: `memory grows by less than ${MB_PER_MINUTE_MAX} MB a minute, and no request fails`,
    met: quick ? null : slope < MB_PER_MINUTE_MAX && load.errors === 0,
    comparisons: [],
    facts: {
      requests: load.requests,
      'failed requests': load.errors,
      'growth of RSS, MB a minute': Math.round(slope * 100) / 100,
      'RSS at the end, MB': Math.round(samples.at(-1)?.mb ?? 0),
      'p50 ms': load.p50,
      'p99 ms': load.p99,
    },
  }
}

/** Of the line that lies closest to the samples (least squares), MB a minute. */
function slopeOf(samples: readonly { readonly minute: number; readonly mb: number }[]): number {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length
  const x = mean(samples.map(({ minute }) => minute))
  const y = mean(samples.map(({ mb }) => mb))
  let above = 0
  let below = 0
  for (const { minute, mb } of samples) {
    above += (minute - x) * (mb - y)
    below += (minute - x) ** 2
  }
  return below === 0 ? 0 : above / below
}
