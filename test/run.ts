/**
 * `npm test`: type check, linter and dead-code check side by side, then every test. `--all` fuzzes for longer, and has
 * clients of other projects sign in, which it installs. Arguments that name files run only those tests.
 */
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'

const top = resolve(import.meta.dirname, '..')
/** Cases of each fuzz test under `--all`; `npm test` leaves them at their own bounds. */
const FUZZ_CASES_ALL = '500000'
/** As src/main.ts: what Node has compiled is kept. Tests start many threads and processes, and compiling was half of a start. */
const COMPILED = resolve(top, 'node_modules/.cache/postern')
/** No test may take longer, milliseconds: a hang is a failure with a name, not a run that never ends. */
const TEST_TIMEOUT_MS = 240_000

const all = process.argv.includes('--all')
const files = process.argv.slice(2).filter((argument) => !argument.startsWith('-'))

function run(name: string, command: string, args: readonly string[]): Promise<boolean> {
  return new Promise((done) => {
    const env = {
      NODE_COMPILE_CACHE: COMPILED,
      ...(all ? { FUZZ_CASES: FUZZ_CASES_ALL, REAL_CLIENTS: 'true' } : {}),
      ...process.env,
    }
    const child = spawn(command, args, { cwd: top, env, stdio: name === 'tests' ? 'inherit' : 'pipe' })
    let output = ''
    child.stdout?.on('data', (piece: Buffer) => {
      output += piece.toString()
    })
    child.stderr?.on('data', (piece: Buffer) => {
      output += piece.toString()
    })
    child.on('error', (error) => {
      output += error.message
      done(false)
    })
    child.on('close', (code) => {
      if (code !== 0) console.error(`${name} failed\n${output}`)
      else if (name !== 'tests') console.log(`${name}: ok`)
      done(code === 0)
    })
  })
}

const bin = (name: string): string => resolve(top, 'node_modules/.bin', name)
const checks =
  files.length > 0
    ? []
    : [
        run('types', bin('tsc'), ['--noEmit']),
        run('lint', bin('biome'), ['check', '--error-on-warnings', '.']),
        run('dead code', bin('knip'), []),
      ]
const results = await Promise.all(checks)

const tests =
  files.length > 0
    ? files
    : globSync(['src/**/*.test.ts', 'test/**/*.test.ts', 'examples/**/*.test.ts'], { cwd: top })
        .sort()
        // Whole servers come first, so that the longest does not end alone
        .reverse()
results.push(
  await run('tests', process.execPath, [
    '--disable-warning=ExperimentalWarning',
    '--test',
    // Exiting waits for compilers in other threads, which may be waiting for a collection of garbage by the thread that
    // exits (nodejs/node#54918): one file in thousands hung
    '--no-concurrent-recompilation',
    '--no-concurrent-sparkplug',
    // One more than there are cores: now and then a test waits
    `--test-concurrency=${availableParallelism() + 1}`,
    `--test-timeout=${all ? 10 * TEST_TIMEOUT_MS : TEST_TIMEOUT_MS}`,
    ...tests,
  ]),
)
process.exitCode = results.every(Boolean) ? 0 : 1
