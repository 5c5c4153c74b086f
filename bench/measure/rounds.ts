import { runLoad } from './load.ts'
import { type Processes, type Started, usageOf } from './processes.ts'

/** One of the things that are compared: a running process tree and how to call it. */
export interface Candidate {
  readonly name: string
  readonly process: Started
  readonly url: string
  /** Request headers beside the common ones, as `Name: value`. */
  readonly headers?: readonly string[]
  /** A wrk script instead of `peers/wrk.lua`. */
  readonly script?: string
}

export interface Figures {
  /** CPU seconds, user and system, of the whole process tree for 100,000 requests. */
  readonly cpuPer100k: number
  readonly requestsPerSecond: number
  readonly p50: number
  readonly p99: number
  readonly rssMb: number
}

export interface Comparison {
  readonly name: string
  /** Medians over the rounds. */
  readonly figures: Figures
  /** Median of CPU against the first candidate, by round. */
  readonly ratio: number
  /** Lowest and highest ratio of a round. */
  readonly spread: readonly [number, number]
  readonly rounds: number
  /** All requests that were answered, those of the warm-up too. */
  readonly requests: number
}

export interface RoundOptions {
  readonly rounds: number
  readonly seconds: number
  readonly warmUpSeconds: number
}

/** `--quick` shows whether it works; its figures mean little. */
export function roundOptions(quick: boolean): RoundOptions {
  return quick ? { rounds: 3, seconds: 2, warmUpSeconds: 2 } : { rounds: 15, seconds: 2, warmUpSeconds: 6 }
}

/** What the rounds of a candidate gave, in their order. */
export interface Rounds {
  readonly name: string
  readonly figures: readonly Figures[]
  /** All that were answered, those of the warm-up too. */
  readonly requests: number
}

/** Measures the candidates by turns, A B and then B A, so that a change of the machine hits all of them. */
export async function compare(
  processes: Processes,
  candidates: readonly Candidate[],
  options: RoundOptions,
): Promise<Comparison[]> {
  return summary(await takeRounds(processes, candidates, options))
}

/** The rounds of `compare` with their single figures, for those who start the candidates several times. */
export async function takeRounds(
  processes: Processes,
  candidates: readonly Candidate[],
  options: RoundOptions,
): Promise<Rounds[]> {
  const requests: number[] = []
  for (const candidate of candidates) {
    const warmUp = await measure(processes, candidate, options.warmUpSeconds)
    requests.push(warmUp.requests)
  }
  const results = candidates.map((): Figures[] => [])
  for (let round = 0; round < options.rounds; round++) {
    const order = candidates.map((_, index) => (round % 2 === 0 ? index : candidates.length - 1 - index))
    for (const index of order) {
      const figures = await measure(processes, candidates[index]!, options.seconds)
      results[index]!.push(figures)
      requests[index]! += figures.requests
      console.log(`  ${round + 1}/${options.rounds} ${describe(candidates[index]!.name, figures)}`)
    }
  }
  return candidates.map(({ name }, index) => ({ name, figures: results[index]!, requests: requests[index]! }))
}

/** The medians of each candidate, and its ratios to the first one, round by round. */
export function summary(all: readonly Rounds[]): Comparison[] {
  return all.map(({ name, figures: own, requests }) => {
    const ratios = own.map((one, round) => one.cpuPer100k / all[0]!.figures[round]!.cpuPer100k)
    const pick = (of: keyof Figures): number => median(own.map((one) => one[of]))
    return {
      name,
      figures: {
        cpuPer100k: pick('cpuPer100k'),
        requestsPerSecond: pick('requestsPerSecond'),
        p50: pick('p50'),
        p99: pick('p99'),
        rssMb: pick('rssMb'),
      },
      ratio: median(ratios),
      spread: [Math.min(...ratios), Math.max(...ratios)],
      rounds: own.length,
      requests,
    }
  })
}

async function measure(
  processes: Processes,
  candidate: Candidate,
  seconds: number,
  isLast = false,
): Promise<Figures & { readonly requests: number }> {
  const { name, process, url, headers, script } = candidate
  const before = usageOf(process.pid)
  const load = await runLoad(processes, url, seconds, headers, script)
  const after = usageOf(process.pid)
  // A shared machine may stand still for as long as a turn takes
  if (load.errors === 0 && load.requests === 0 && !isLast) return measure(processes, candidate, seconds, true)
  if (load.errors > 0 || load.requests === 0)
    throw new Error(`${name}: ${load.errors} of ${load.requests} requests failed\n${process.output()}`)
  return {
    cpuPer100k: ((after.cpuSeconds - before.cpuSeconds) / load.requests) * 100_000,
    requestsPerSecond: load.requests / load.seconds,
    p50: load.p50,
    p99: load.p99,
    rssMb: after.rssBytes / 1024 ** 2,
    requests: load.requests,
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

function describe(name: string, { cpuPer100k, requestsPerSecond, p50, p99 }: Figures): string {
  return `${name}: ${cpuPer100k.toFixed(2)} CPU-s/100k, ${Math.round(requestsPerSecond)}/s, p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`
}
