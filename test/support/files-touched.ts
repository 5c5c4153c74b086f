import { Session } from 'node:inspector'
import { relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const SOURCES = resolve(import.meta.dirname, '../../src')
/** Run by a timer of their own, whatever is asked meanwhile. */
const BY_THE_CLOCK: ReadonlySet<string> = new Set(['wire/native/sweep.ts'])

interface Coverage {
  readonly result: readonly {
    readonly url: string
    readonly functions: readonly { readonly ranges: readonly { readonly count: number }[] }[]
  }[]
}

/** Files below `src` of which `work` runs a function, in this thread, by path. Their loading does not count. */
export async function filesTouched(work: () => Promise<unknown>): Promise<string[]> {
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
    // Counts begin anew with each answer
    await ask('Profiler.takePreciseCoverage')
    await work()
    const { result } = await ask('Profiler.takePreciseCoverage')
    return result
      .filter(({ functions }) => functions.some(({ ranges }) => ranges[0]!.count > 0))
      .flatMap(({ url }) => (url.startsWith('file:') ? [relative(SOURCES, fileURLToPath(url))] : []))
      .filter((path) => !path.startsWith('..') && !BY_THE_CLOCK.has(path))
      .sort()
  } finally {
    session.disconnect()
  }
}
