/** Claim: recording every request costs the serving thread at most a tenth more CPU, the whole process a quarter. */
import { join } from 'node:path'
import { missingTools } from './measure/machine.ts'
import { createProcesses, firstThreadSeconds, type Started } from './measure/processes.ts'
import { type Outcome, skipped } from './measure/results.ts'
import { compare, roundOptions } from './measure/rounds.ts'
import { scratchDirectory } from './measure/scratch.ts'
import { startUpstreamSomewhere, startWire } from './measure/stand.ts'

const CALL = '/orders/v1/orders/7'

export async function recording(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['nginx', 'wrk', 'taskset'])
  if (missing.length > 0) return skipped('recording', missing)
  using scratch = scratchDirectory()
  await using processes = createProcesses()
  const upstreamPort = await startUpstreamSomewhere(processes, scratch.path)
  const run = async (records?: string): Promise<{ process: Started; url: string }> => {
    const wire = await startWire(processes, upstreamPort, records === undefined ? {} : { records })
    return { process: wire.process, url: `${wire.url}${CALL}` }
  }
  const candidates = [
    { name: 'Postern wire', ...(await run()) },
    { name: 'Postern wire, every request recorded', ...(await run(join(scratch.path, 'records.db'))) },
  ]
  const before = candidates.map(({ process }) => firstThreadSeconds(process.pid))
  const comparisons = await compare(processes, candidates, roundOptions(quick))
  const [without, recorded] = candidates.map(
    ({ process }, index) => (firstThreadSeconds(process.pid) - before[index]!) / comparisons[index]!.requests,
  )
  const thread = recorded! / without!
  return {
    name: 'recording',
    title: 'Recording every request, one core',
    bar: 'CPU of the serving thread at most 1.10 times that without, of the whole process at most 1.25 times',
    met: comparisons[1]!.ratio <= 1.25 && thread <= 1.1,
    comparisons,
    facts: { 'CPU of the serving thread against that without': Math.round(thread * 100) / 100 },
  }
}
