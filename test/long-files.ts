import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** The environment of the long form of the tests: longer fuzzing, and clients of other projects. */
export const LONG_FORM: Readonly<Record<string, string>> = { FUZZ_LONG: 'true', REAL_CLIENTS: 'true' }

/**
 * What CI runs of the long form: conformance whole, and of each long suite the file that shows soonest that the suite runs
 * at all. `npm run test:all` runs every suite whole.
 */
export const SMOKE: Readonly<Record<string, readonly string[]>> = {
  conformance: ['test/conformance/server.test.ts', 'test/conformance/client.test.ts'],
  fuzz: ['src/wire/native/requests.fuzz.test.ts'],
  browser: ['test/console/browser.test.ts'],
  'real clients': ['test/clients/virtual-mcp.test.ts'],
  'real servers': ['test/mcp/real-servers.test.ts'],
  'store faults': ['test/scenarios/store-faults.test.ts'],
  'kill matrix': ['test/scenarios/config-crash.test.ts'],
}

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
