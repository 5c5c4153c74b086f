/** Claim: a governed call costs at most 3 % more CPU when its limits are counted in Valkey. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { NO_VALKEY, startValkey } from '../test/support/valkey.ts'
import { governedCandidate } from './governed.ts'
import { missingTools } from './measure/machine.ts'
import { createProcesses } from './measure/processes.ts'
import { type Outcome, skipped } from './measure/results.ts'
import { compare, roundOptions } from './measure/rounds.ts'
import { scratchDirectory } from './measure/scratch.ts'

const RATIO_MAX = 1.03

export async function nodes(quick: boolean): Promise<Outcome> {
  const missing = [...missingTools(['nginx', 'wrk', 'taskset']), ...(NO_VALKEY === false ? [] : [NO_VALKEY])]
  if (missing.length > 0) return skipped('nodes', missing)
  using scratch = scratchDirectory()
  await using processes = createProcesses()
  await using valkey = await startValkey()
  const start = async (name: string, env: Readonly<Record<string, string>>) => {
    const directory = join(scratch.path, name.replaceAll(' ', '-'))
    mkdirSync(join(directory, 'log'), { recursive: true })
    return { ...(await governedCandidate(processes, directory, { core: 0, workers: 1, env })), name }
  }
  const candidates = [
    await start('alone', {}),
    await start('with Valkey', { POSTERN_VALKEY_URL: `redis://127.0.0.1:${valkey.port}` }),
  ]
  const before = evalsOf(valkey.cli('INFO', 'commandstats'))
  const comparisons = await compare(processes, candidates, roundOptions(quick))
  const asked = evalsOf(valkey.cli('INFO', 'commandstats')) - before
  const { ratio, requests } = comparisons[1]!
  return {
    name: 'nodes',
    title: 'Governed calls of one node, with limits counted in its memory and in Valkey',
    bar: `CPU of the process at most ${RATIO_MAX} times`,
    met: ratio <= RATIO_MAX,
    comparisons,
    facts: {
      'calls of scripts for 100 requests': Number(((asked * 100) / requests).toFixed(2)),
    },
  }
}

/** Scripts that a server has run, as `INFO commandstats` tells. */
function evalsOf(stats: string): number {
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0)
}
