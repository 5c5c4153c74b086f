/** Claim: at half load the heap stays flat. Ten minutes; run when it is named only. */
import { delayedScript, runLoad } from './measure/load.ts'
import { missingTools } from './measure/machine.ts'
import { createProcesses, usageOf } from './measure/processes.ts'
import { type Outcome, skipped } from './measure/results.ts'
import { scratchDirectory } from './measure/scratch.ts'
import { OPEN, openClient, startManaged, startUpstreamSomewhere } from './measure/stand.ts'
import { addCollection, pathOf, slugOf } from './routes.ts'

const MINUTES = 10
/** One byte for each of some 6,000 requests a second is a third of it. */
const MB_PER_MINUTE_MAX = 1
/** More often than the output that is kept runs over. */
const SAMPLE_MS = 5000
/** Fewer make no line. */
const SAMPLES_MIN = 5
/** Between a connection's requests; with 64 connections about half of what one core carries. */
const DELAY_MS = 6

export async function soak(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['nginx', 'wrk', 'taskset'])
  if (missing.length > 0) return skipped('soak', missing)
  using scratch = scratchDirectory()
  await using processes = createProcesses()
  const upstreamPort = await startUpstreamSomewhere(processes, scratch.path)
  const options = { core: 0, workers: 1, nodeFlags: ['--trace-gc'] }
  const { postern, call } = await startManaged(processes, scratch.path, options)
  await addCollection(call, 0, 100, upstreamPort)
  await openClient(call, [slugOf(0)])
  const script = delayedScript(scratch.path, DELAY_MS)

  const minutes = quick ? 0.5 : MINUTES
  const live = new LiveHeaps()
  const timer = setInterval(() => live.read(postern.process.output()), SAMPLE_MS)
  const url = `${postern.gateway}/${slugOf(0)}${pathOf(0)}/42/items/7`
  const load = await runLoad(processes, url, minutes * 60, OPEN, script)
  clearInterval(timer)
  live.read(postern.process.output())
  const serving = live.busiest()
  // The first third is the heap finding its size
  const settled = serving.slice(Math.floor(serving.length / 3))
  const slope = slopeOf(settled)
  return {
    name: 'soak',
    title: `${minutes} minutes at half load, one gateway thread`,
    bar: `what full collections leave of the serving thread's heap grows by less than ${MB_PER_MINUTE_MAX} MB a minute, and no request fails`,
    met: quick ? null : settled.length >= SAMPLES_MIN && slope < MB_PER_MINUTE_MAX && load.errors === 0,
    comparisons: [],
    facts: {
      requests: load.requests,
      'failed requests': load.errors,
      'full collections of the serving thread': serving.length,
      'growth of what they leave, MB a minute': Math.round(slope * 100) / 100,
      'left by the last one, MB': serving.at(-1)?.mb ?? 0,
      'RSS at the end, which comes and goes with the young generation, MB': Math.round(
        usageOf(postern.process.pid).rssBytes / 1024 ** 2,
      ),
      'p50 ms': load.p50,
      'p99 ms': load.p99,
    },
  }
}

interface Sample {
  readonly minute: number
  readonly mb: number
}

/** What each full collection left, by heap, out of the lines of `--trace-gc`. */
class LiveHeaps {
  readonly #heaps = new Map<string, Map<number, number>>()

  /** Takes what is new in the newest output. */
  read(output: string): void {
    const line = /\[\d+:(0x[0-9a-f]+)\] +(\d+) ms: Mark-Compact .*?-> ([\d.]+) \(/g
    for (const [, heap, ms, mb] of output.matchAll(line)) {
      const samples = this.#heaps.get(heap!) ?? new Map<number, number>()
      this.#heaps.set(heap!, samples.set(Number(ms), Number(mb)))
    }
  }

  /** Of the heap that was collected most often: that of the thread that serves. */
  busiest(): Sample[] {
    const [busiest] = [...this.#heaps.values()].sort((a, b) => b.size - a.size)
    return [...(busiest ?? [])].map(([ms, mb]) => ({ minute: ms / 60_000, mb }))
  }
}

/** Of the line that lies closest to the samples (least squares), MB a minute. */
function slopeOf(samples: readonly Sample[]): number {
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
