import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** The environment of the long form of the tests: longer fuzzing, and clients of other projects. */
export const LONG_FORM: Readonly<Record<string, string>> = { FUZZ_LONG: 'true', REAL_CLIENTS: 'true' }

const SWITCH = new RegExp(Object.keys(LONG_FORM).join('|'))
const IMPORT = /(?:from|import) '(\.[^']+)'/g

/**
 * The test files that have a long form: those that read a variable of `LONG_FORM`, or import a module of the folder of
 * tests that does, at any depth.
 *
 * @param tests Paths below `top`.
 * @param top The directory of the project.
 */
export function longFiles(tests: readonly string[], top: string): string[] {
  const known = new Map<string, boolean>()
  const isLong = (path: string): boolean => {
    const found = known.get(path)
    if (found !== undefined) return found
    known.set(path, false)
    const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
    const helpers = [...text.matchAll(IMPORT)]
      .map(([, name]) => resolve(dirname(path), name!))
      .filter((name) => name.startsWith(resolve(top, 'test')))
    const answer = SWITCH.test(text) || helpers.some(isLong)
    known.set(path, answer)
    return answer
  }
  return tests.filter((test) => isLong(resolve(top, test)))
}
