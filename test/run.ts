/**
 * `npm test`: type check, linter and dead-code check side by side, then every test. `--all` fuzzes for longer, and has
 * clients of other projects sign in, which it installs. `--only-long` runs only the files that `--all` runs otherwise, and
 * no checks; `--smoke` runs of these what CI runs. `--unit` runs the tests that start no server and open no socket, and
 * `--scenarios` those of test/scenarios, both without checks. With `--postgres` instances of tests keep their data in a PostgreSQL that is
 * started for the run; without names of files, those of long-files.ts run. Arguments that name files run only those tests; `node --test`
 * gets its own flags (`arguments.ts`). It first makes the bundle, if that is not up to date; with `RUN_SOURCES=true` all runs
 * from sources.
 */
import { spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  globSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { findBundle } from '../src/base/bundle.ts'
import { readArguments } from './arguments.ts'
import { LONG_FORM, longFiles, postgresFiles, SMOKE, unitFiles } from './long-files.ts'

const top = resolve(import.meta.dirname, '..')
/** As src/main.ts: what Node has compiled is kept. Tests start many threads and processes, and compiling was half of a start. */
const COMPILED = resolve(top, 'node_modules/.cache/postern')
/**
 * No test, and no process with its files, may take longer, milliseconds: a hang is a failure with a name, not a run that
 * never ends.
 */
const TEST_TIMEOUT_MS = 480_000

/** In how many files tests may fail for CI to run these files once more. */
const UNSTEADY_FILES_MAX = 3

/** How many test files share a process: loading what they test is most of what many of them cost. */
const FILES_TOGETHER = 8
/** Written in files that change their process or look at all of it: those have one of their own. */
const ALONE =
  /process\.(env\[[^\]]+\] =|chdir|memoryUsage|setuid|getActiveResourcesInfo)|filesTouched\(|createHook\(|self\/fd/

const { files: named, flags, node: nodeFlags } = readArguments(process.argv.slice(2))
const all = flags.has('--all')

/** A file system in memory, where Linux has one. */
const MEMORY = '/dev/shm'
/** Far more than tests have at a time. The long form installs programs, for which it may be too little. */
const MEMORY_BYTES_MIN = 2 * 1024 ** 3

/**
 * Where tests have their files: below `TMPDIR`, or in memory if there is room and programs may be run there. Stores wait
 * for the disk at each commit, which is most of what many tests wait for, and only a power cut could tell the two apart.
 */
function placeOfFiles(): string {
  if (process.env['TMPDIR'] !== undefined) return tmpdir()
  if (!existsSync(MEMORY) || !existsSync('/proc/self/mounts')) return tmpdir()
  const [, flags] = /^\S+ \/dev\/shm tmpfs (\S+)/m.exec(readFileSync('/proc/self/mounts', 'utf8')) ?? []
  const { bavail, bsize } = statfsSync(MEMORY)
  const isFit = flags !== undefined && !flags.includes('noexec') && bavail * bsize >= MEMORY_BYTES_MIN
  return isFit ? MEMORY : tmpdir()
}

const directory = mkdtempSync(join(all ? tmpdir() : placeOfFiles(), 'postern-tests-'))
// Some tests give up the rights of root
chmodSync(directory, 0o1777)
/** See summary.ts. */
const failedTests = join(directory, 'failed-tests')
/** Likewise. */
const missingPrograms = join(directory, 'missing-programs')
process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1))

const every = globSync(
  ['src/**/*.test.ts', 'test/**/*.test.ts', 'examples/**/*.test.ts', 'ui/**/*.test.ts'],
  {
    cwd: top,
  },
).sort()
const isOnlyLong = flags.has('--only-long')
/** A part of all tests, which runs as all of them do. */
const tier = flags.has('--unit')
  ? unitFiles(every, top)
  : flags.has('--scenarios')
    ? every.filter((test) => test.startsWith('test/scenarios/'))
    : flags.has('--postgres') && named.length === 0
      ? postgresFiles(every, top)
      : null
const chosen = flags.has('--smoke') ? Object.values(SMOKE).flat() : named
const files = isOnlyLong ? longFiles(chosen.length > 0 ? chosen : every, top) : chosen
if (tier !== null && (isOnlyLong || chosen.length > 0))
  throw new Error(
    '--unit and --scenarios run all of their tests: name no files, and no other part, beside them',
  )
if (isOnlyLong && files.length === 0) throw new Error('no test has a long form')
if (nodeFlags.length > 0 && files.length === 0)
  throw new Error(`${nodeFlags.join(' ')} needs the name of a test file`)

// Instances of tests then keep what they have in databases of their own
const postgres = flags.has('--postgres') ? await startDatabases() : null
if (postgres !== null)
  process.env['TEST_DATABASE_URL'] = `postgres://app:postern-test@127.0.0.1:${postgres.port}/postgres`

async function startDatabases() {
  const { PROGRAMS, startPostgres } = await import('./support/postgres.ts')
  if (PROGRAMS === null) throw new Error('--postgres needs PostgreSQL: install the package postgresql')
  return startPostgres('postern-test')
}

function run(name: string, command: string, args: readonly string[]): Promise<boolean> {
  return new Promise((done) => {
    const env = {
      NODE_COMPILE_CACHE: COMPILED,
      ...(all ? LONG_FORM : {}),
      ...process.env,
      TMPDIR: directory,
      FAILED_TESTS: failedTests,
      MISSING_PROGRAMS: missingPrograms,
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

// Tests in a browser use the console that these sources make
await import('../ui/build/build.ts')
// Servers and threads of tests run from it: without it, they load some hundred modules each
if (process.env['RUN_SOURCES'] !== 'true' && findBundle(top) === null)
  await (await import('../build/bundle.ts')).makeBundle(top)

const bin = (name: string): string => resolve(top, 'node_modules/.bin', name)
const checks =
  files.length > 0 || tier !== null
    ? []
    : [
        run('types', bin('tsc'), ['--noEmit']),
        run('types of the console', bin('tsc'), ['--noEmit', '-p', 'ui']),
        run('lint', bin('biome'), ['check', '--error-on-warnings', '.']),
        run('dead code', bin('knip'), []),
      ]
const results = await Promise.all(checks)

/**
 * Writes for each group of files one that runs them as suites, so that hooks stay with the tests of their file. The test
 * runner takes files in the order of their names.
 */
function together(tests: readonly string[], directory: string): string[] {
  const isAlone = (test: string): boolean => ALONE.test(readFileSync(resolve(top, test), 'utf8'))
  const others = tests.filter((test) => !isAlone(test)).reverse()
  // What stands side by side loads much the same. Whole servers come first, so that the longest does not end alone
  const groups = others.flatMap((_, at) =>
    at % FILES_TOGETHER > 0 ? [] : [others.slice(at, at + FILES_TOGETHER)],
  )
  const alone = tests.filter(isAlone).map((test) => [test])
  return [...alone, ...groups].map((members, at) => {
    const suites = members.map((test) => [test, pathToFileURL(resolve(top, test)).href])
    const path = join(directory, `${String(at).padStart(4, '0')}.test.mjs`)
    writeFileSync(
      path,
      `import { suite, test } from 'node:test'
for (const [name, url] of ${JSON.stringify(suites)})
  suite(name, () => import(url).catch((error) => test('can be loaded', () => { throw error })))
`,
    )
    return path
  })
}

const tests = files.length > 0 ? files : together(tier ?? every, directory)

/**
 * Runs test files.
 *
 * @param concurrency How many at a time.
 * @param isTracked False for what `together` wrote: see untracked.ts.
 */
function runTests(tests: readonly string[], concurrency: number, isTracked: boolean): Promise<boolean> {
  return run('tests', process.execPath, [
    '--disable-warning=ExperimentalWarning',
    ...(isTracked ? [] : ['--import', pathToFileURL(join(top, 'test/untracked.ts')).href]),
    '--test',
    ...['spec', pathToFileURL(join(top, 'test/summary.ts')).href].flatMap((reporter) => [
      `--test-reporter=${reporter}`,
      '--test-reporter-destination=stdout',
    ]),
    // Exiting waits for compilers in other threads, which may be waiting for a collection of garbage by the thread that
    // exits (nodejs/node#54918): one file in thousands hung
    '--no-concurrent-recompilation',
    '--no-concurrent-sparkplug',
    `--test-concurrency=${concurrency}`,
    // Somebody who debugs takes their time
    ...(nodeFlags.some((flag) => /watch|inspect/.test(flag))
      ? []
      : [`--test-timeout=${all ? 5 * TEST_TIMEOUT_MS : TEST_TIMEOUT_MS}`]),
    ...nodeFlags,
    ...tests,
  ])
}

/**
 * Runs the files that failed once more, each alone, when CI asks for it. A file that fails again has failed, and so has a
 * run in which more than a few files failed. Names those that passed: they depend on the load of the machine, which is a
 * fault of the test or of what it tests.
 */
async function passesAlone(): Promise<boolean> {
  if (process.env['CI'] !== 'true') return false
  const lines = (existsSync(failedTests) ? readFileSync(failedTests, 'utf8') : '').split('\n').filter(Boolean)
  const failed = new Set(
    lines.map((line) => {
      const [file, name] = line.split('\t')
      return every.find((test) => test === name || test === relative(top, file!))
    }),
  )
  // Undefined: a whole process failed, or something in it that belongs to no test file
  if (failed.size === 0 || failed.size > UNSTEADY_FILES_MAX || failed.has(undefined)) return false
  const again = [...failed] as string[]
  for (const file of again) if (!(await runTests([file], 1, true))) return false
  for (const file of again) console.log(`unsteady: ${file}: failed beside other tests, and passed alone`)
  return true
}

/** With `SKIPS_FAIL=true`, says which programs tests were skipped for, and how to get them: skipped tests prove nothing. */
function hasAllPrograms(): boolean {
  if (process.env['SKIPS_FAIL'] !== 'true' || !existsSync(missingPrograms)) return true
  const reasons = new Set(readFileSync(missingPrograms, 'utf8').split('\n').filter(Boolean))
  for (const reason of reasons)
    console.error(`with SKIPS_FAIL=true no test may be skipped for a missing program: ${reason}`)
  return false
}

// One more than there are cores: now and then a test waits
results.push((await runTests(tests, availableParallelism() + 1, files.length > 0)) || (await passesAlone()))
results.push(hasAllPrograms())
await postgres?.[Symbol.asyncDispose]()
process.exitCode = results.every(Boolean) ? 0 : 1
