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

/** What runs once more with instances that keep their data in PostgreSQL: what reads and writes the configuration store. */
const ON_POSTGRES =
  /^src\/(control|operations|oauth\/(server|sign-in))\/|^test\/scenarios\/(access|apply|approv|audit|change|collections|export|offboard|personal|portal|profiles|revisions|roll|secrets|sign-in|users|virtual)[^/]*$/

/** Written in what opens a file of a data directory itself. */
const FILES = /node:sqlite|\.db'|cpSync\(/

/** The test files that run once more on PostgreSQL, for tests below `top`. */
export function postgresFiles(tests: readonly string[], top: string): string[] {
  return tests.filter(
    (test) => ON_POSTGRES.test(test) && !FILES.test(readFileSync(resolve(top, test), 'utf8')),
  )
}

const SWITCH = new RegExp(Object.keys(LONG_FORM).join('|'))
const IMPORT = /(?:from|import) '(\.[^']+)'/g

/** Written in what starts a server, a process or a thread, or opens a socket. */
const OUTSIDE =
  /'(node:)?(net|tls|dgram|https?|http2|child_process|worker_threads|undici|playwright-core)'|\bfetch\(|\bstartServer\(|\.listen\(|\bcreateWorkers\(/

/**
 * The test files that have a long form: those that read a variable of `LONG_FORM`, or import a module of the folder of
 * tests that does, at any depth.
 *
 * @param tests Paths below `top`.
 * @param top The directory of the project.
 */
export const longFiles = (tests: readonly string[], top: string): string[] => filesThat(SWITCH, tests, top)

/**
 * The test files of `src` and `ui` that start no server, process or thread and open no socket, as far as their text, and
 * that of the modules of the folder of tests that they import, shows.
 */
export function unitFiles(tests: readonly string[], top: string): string[] {
  const near = tests.filter((test) => /^(src|ui)\//.test(test))
  const others = new Set(filesThat(OUTSIDE, near, top))
  return near.filter((test) => !others.has(test))
}

/** The test files whose text, or that of a module of the folder of tests which they import at any depth, has the pattern. */
function filesThat(pattern: RegExp, tests: readonly string[], top: string): string[] {
  const known = new Map<string, boolean>()
  const has = (path: string): boolean => {
    const found = known.get(path)
    if (found !== undefined) return found
    known.set(path, false)
    const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
    const helpers = [...text.matchAll(IMPORT)]
      .map(([, name]) => resolve(dirname(path), name!))
      .filter((name) => name.startsWith(resolve(top, 'test')))
    const answer = pattern.test(text) || helpers.some(has)
    known.set(path, answer)
    return answer
  }
  return tests.filter((test) => has(resolve(top, test)))
}
