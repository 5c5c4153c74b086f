/** Claim: at half load, with everything that governs a call, Postern adds about 0.3 ms (p50) and 2 ms (p99). */
import { ownPort } from '../test/support/ports.ts'
import { CALL, startGoverned } from './governed.ts'
import { delayedScript } from './measure/load.ts'
import { missingTools } from './measure/machine.ts'
import { startUpstream } from './measure/nginx.ts'
import { createProcesses } from './measure/processes.ts'
import { type Outcome, skipped } from './measure/results.ts'
import { compare, roundOptions } from './measure/rounds.ts'
import { scratchDirectory } from './measure/scratch.ts'

/** Between a connection's requests: 64 connections then send about half of what one core carries. */
const DELAY_MS = 6

export async function latency(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['nginx', 'nginx-lua', 'wrk', 'taskset'])
  if (missing.length > 0) return skipped('latency', missing)
  using scratch = scratchDirectory()
  using direct = scratchDirectory()
  await using processes = createProcesses()
  const { candidate, nginx, headers } = await startGoverned(processes, scratch.path)
  const directPort = await ownPort()
  const upstream = await startUpstream(processes, direct.path, directPort)
  const script = delayedScript(scratch.path, DELAY_MS)
  const comparisons = await compare(
    processes,
    [
      {
        name: 'upstream alone',
        process: upstream,
        url: `http://127.0.0.1:${directPort}${CALL}`,
        headers,
        script,
      },
      { ...nginx, script },
      { ...candidate, script },
    ],
    roundOptions(quick),
  )
  const [alone, , postern] = comparisons
  const added = (of: 'p50' | 'p99'): number =>
    Math.round((postern!.figures[of] - alone!.figures[of]) * 100) / 100
  return {
    name: 'latency',
    title: 'Latency of governed calls at half load, one core',
    bar: 'about 0.3 ms added at the median and 2 ms at p99, reported',
    met: null,
    comparisons,
    facts: { 'added by Postern, p50 ms': added('p50'), 'added by Postern, p99 ms': added('p99') },
  }
}
