/**
 * Claims: the main thread keeps nothing per account in memory, so that 30,000 accounts of 10,000 people cost next to nothing; and after an
 * outage in which all tokens ended, each token is refreshed once, however many calls wait for it, with a few requests at a time.
 */
import { execFile } from 'node:child_process'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { Outcome } from './measure/results.ts'
import { scratchDirectory } from './measure/scratch.ts'
import type { Figures } from './programs/accounts.ts'

const PEOPLE = 10_000
const QUICK_PEOPLE = 500
const MEMORY_MB_MAX = 50
/** Requests to one authorization server at the same time. */
const AT_ONCE_MAX = 16
const PROGRAM = resolve(import.meta.dirname, 'programs/accounts.ts')
const TIMEOUT_MS = 20 * 60_000

export async function accounts(quick: boolean): Promise<Outcome> {
  using scratch = scratchDirectory()
  const people = quick ? QUICK_PEOPLE : PEOPLE
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--expose-gc', PROGRAM, join(scratch.path), String(people)],
    { timeout: TIMEOUT_MS },
  )
  // Printed by the program of this very type
  const figures = JSON.parse(stdout.trim().split('\n').at(-1)!) as Figures
  const { connections, memoryMb, firstUs, asked, refreshed, atOnce, stormSeconds, stormMemoryMb } = figures
  return {
    name: 'accounts',
    title: `${connections} accounts of ${people} people at three origins`,
    bar: `memory within ${MEMORY_MB_MAX} MB; in a storm one refresh for each token, at most ${AT_ONCE_MAX} at the same time`,
    met: quick
      ? null
      : {
          memory: memoryMb <= MEMORY_MB_MAX,
          'one refresh each': refreshed === connections,
          'requests at the same time': atOnce <= AT_ONCE_MAX,
        },
    comparisons: [],
    facts: {
      'memory for one question each, MB': Math.round(memoryMb),
      'a first question, microseconds': Math.round(firstUs),
      'storm: questions for tokens': asked,
      'storm: refreshes': refreshed,
      'storm: refreshes at the same time': atOnce,
      'storm: seconds': Math.round(stormSeconds),
      'storm: refreshes a second': Math.round(refreshed / stormSeconds),
      'storm: memory, MB': Math.round(stormMemoryMb),
    },
  }
}
