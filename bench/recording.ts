/** Claim: recording every request costs at most a quarter more CPU, the recorder thread included. */
import { join, resolve } from 'node:path'
import { missingTools } from './measure/machine.ts'
import { startUpstream } from './measure/nginx.ts'
import { createProcesses, freePort, type Started, untilStatus } from './measure/processes.ts'
import { type Outcome, skipped } from './measure/results.ts'
import { compare, roundOptions } from './measure/rounds.ts'
import { scratchDirectory } from './measure/scratch.ts'

const CALL = '/orders/v1/orders/7'

export async function recording(quick: boolean): Promise<Outcome> {
  const missing = missingTools(['nginx', 'wrk', 'taskset'])
  if (missing.length > 0) return skipped('recording', missing)
  using scratch = scratchDirectory()
  await using processes = createProcesses()
  const upstreamPort = await freePort()
  await startUpstream(processes, scratch.path, upstreamPort)
  const program = resolve(import.meta.dirname, 'programs/plain.ts')
  const run = async (file: string): Promise<{ process: Started; url: string }> => {
    const port = await freePort()
    const args = ['--disable-warning=ExperimentalWarning', program, String(port), String(upstreamPort)]
    const started = processes.start(0, process.execPath, file === '' ? args : [...args, file])
    const url = `http://127.0.0.1:${port}${CALL}`
    await untilStatus(url, 200, started)
    return { process: started, url }
  }
  const comparisons = await compare(
    processes,
    [
      { name: 'Postern wire', ...(await run('')) },
      { name: 'Postern wire, every request recorded', ...(await run(join(scratch.path, 'records.db'))) },
    ],
    roundOptions(quick),
  )
  return {
    name: 'recording',
    title: 'Recording every request, one core',
    bar: 'CPU of the whole process at most 1.25 times that without',
    met: comparisons[1]!.ratio <= 1.25,
    comparisons,
    facts: {},
  }
}
