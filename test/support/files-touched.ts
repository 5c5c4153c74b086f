import { Session } from 'node:inspector'
import { relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { holdTimers } from './held-timers.ts'

const SOURCES = resolve(import.meta.dirname, '../../src')
/** From the loading of this module on, so that it knows the timers that stand before a measurement. */
const hold = holdTimers()

interface Coverage {
  readonly result: readonly {
    readonly url: string
    readonly functions: readonly { readonly ranges: readonly { readonly count: number }[] }[]
  }[]
}

/**
 * Files below `src` of which `work` runs a function, in this thread, by path. Their loading does not count, nor do timers that
 * began before the work: they wait for its end.
 * @param times How often it is run: only files of each time count. All runs follow each other at once, since to begin to count takes
 *   long enough on a busy machine for connections to be given up that stand unused.
 */
export async function filesTouched(work: () => Promise<unknown>, times = 1): Promise<string[]> {
  const session = new Session()
  session.connect()
  const ask = (method: string, given = {}): Promise<Coverage> =>
    new Promise((done, fail) => {
      session.post(method, given, (error, answer) =>
        error === null ? done(answer as Coverage) : fail(error),
      )
    })
  try {
    await ask('Profiler.enable')
    await ask('Profiler.startPreciseCoverage', { callCount: true, detailed: false })
    if (times > 1) await work()
    let files: string[] | null = null
    const measure = async (): Promise<Coverage> => {
      using _held = hold()
      // Counts begin anew with each answer
      await ask('Profiler.takePreciseCoverage')
      await work()
      return ask('Profiler.takePreciseCoverage')
    }
    for (let time = 0; time < times; time++) {
      const { result } = await measure()
      const run = new Set(
        result
          .filter(({ functions }) => functions.some(({ ranges }) => ranges[0]!.count > 0))
          .flatMap(({ url }) => (url.startsWith('file:') ? [relative(SOURCES, fileURLToPath(url))] : []))
          .filter((path) => !path.startsWith('..')),
      )
      files = files === null ? [...run] : files.filter((file) => run.has(file))
    }
    return files!.sort()
  } finally {
    session.disconnect()
  }
}
