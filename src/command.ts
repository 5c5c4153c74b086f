/** What the program does with its arguments: `up`, or a command of the command line. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { COMPLETION } from './base/bundle.ts'
import { databaseIn, shownDatabase } from './base/net/database-url.ts'
import { shownValkey } from './base/net/valkey-url.ts'
import { BUILT, entryUrl, IS_PACKAGE, PROGRAM } from './base/program.ts'
import { CannotStart } from './base/refusal.ts'
import { stopSignal } from './base/threads/process.ts'
import { showFirstLink } from './control/first-link.ts'
import type { Place } from './surfaces/cli/completion-scripts.ts'
import type { Build, ResetRequest, RunnerRequest, TokenRequest } from './surfaces/cli/ports.ts'
import { commitOf, VERSION } from './version.ts'

/** Starts the gateway and resolves when it receives a stop signal and has stopped. A second signal ends it at once. */
async function up(flags: readonly string[]): Promise<void> {
  const { readSettings } = await import('./settings.ts')
  const settings = readSettings(flags, process.env)
  const { createWorkers, gatewayName } = await import('./threads/worker.ts')
  const workers = createWorkers()
  // They load their modules while this thread loads its own
  workers.ahead('recorder')
  for (let slot = 0; slot < settings.workers; slot++) workers.ahead('gateway', gatewayName(slot))
  const { startServer } = await import('./serve.ts')
  const log = await createLog()
  const server = await startServer(settings, { log: (level, message) => log[level](message), workers })
  process.on('SIGHUP', () => server.reload())
  // From before it says that it is ready: whoever reads that may send a signal at once
  const signal = stopSignal()
  process.stdout.write(
    `Postern ${VERSION} is ready\n  gateway  ${server.gatewayUrl}\n  control  ${server.controlUrl}\n  console  ${settings.controlOrigin ?? server.controlUrl}/console/\n  data     ${settings.data}\n${settings.database === null ? '' : `  database ${shownDatabase(settings.database)}\n`}${settings.valkey === null ? '' : `  valkey   ${shownValkey(settings.valkey)}\n`}`,
  )
  void showFirstLink({
    make: server.firstLink,
    print: (link) => process.stdout.write(link),
    failed: (error) =>
      log.error(
        `The link to set up the administrator cannot be created. Postern tries again: ${explain(error)}`,
      ),
    signal,
  })
  const excluded = server.excluded.then((why) => {
    log.error(why)
    process.exitCode = 1
    return 'This node has left'
  })
  const by = await Promise.race([signal, excluded])
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => process.exit(1))
  log.info(`${by}: finishing the running requests, then stopping`)
  await server.stop()
}

/** Lines of JSON on standard error. */
async function createLog() {
  const { pino } = await import('pino')
  return pino(
    { base: undefined, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  )
}

async function demo(flags: readonly string[]): Promise<number> {
  const { runDemo } = (await import(entryUrl('demo').href)) as {
    readonly runDemo: (flags: readonly string[]) => Promise<number>
  }
  return runDemo(flags)
}

/** In a checkout the commit is that which is checked out now. */
function build(): Build {
  if (BUILT?.commit != null) return { form: 'package', commit: BUILT.commit }
  const form = BUILT === null ? 'sources' : IS_PACKAGE ? 'package' : 'bundle'
  return { form, commit: IS_PACKAGE ? null : commitOf(PROGRAM) }
}

/** Runs stdio servers until a stop signal, as {@link up} does. */
async function runner({ file, isCheck }: RunnerRequest): Promise<readonly string[]> {
  const { readRunnerFile } = await import('./runner/file.ts')
  const config = readRunnerFile(file)
  const names = [...config.entries.keys()]
  if (isCheck) return names
  const { createClock } = await import('./base/clock.ts')
  const { startRunner } = await import('./runner/runner.ts')
  const log = await createLog()
  const signal = stopSignal()
  // A terminal that closes would end this process without a stop of the servers
  process.once('SIGHUP', () => process.kill(process.pid, 'SIGTERM'))
  const running = await startRunner(config, {
    clock: createClock(),
    log: (level, message) => log[level](message),
  })
  process.stdout.write(
    `Postern runner ${VERSION} is ready\n  listens  ${running.place}\n  entries  ${names.join(', ')}\n`,
  )
  const by = await signal
  // A second signal ends the servers at once
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => process.exit(1))
  log.info(`${by}: stopping the servers`)
  await running.close()
  return names
}

/** Where a command that works without a running instance finds its data, by the environment. */
async function places() {
  const { placesOf } = await import('./serve/places.ts')
  return placesOf(databaseIn(process.env))
}

/** From the file that the build has put beside this one. */
function readBuiltPlaces(): readonly Place[] | null {
  if (BUILT === null) return null
  // Written by build/bundle.ts, as a whole
  return JSON.parse(readFileSync(join(import.meta.dirname, COMPLETION), 'utf8')) as readonly Place[]
}

async function* lines(): AsyncIterable<string> {
  const { createInterface } = await import('node:readline')
  yield* createInterface({ input: process.stdin })
}

async function issueOffline(dataDirectory: string, request: TokenRequest) {
  const { issueOffline: issue } = await import('./control/offline.ts')
  return issue(await places(), dataDirectory, request)
}

async function resetOffline(dataDirectory: string, request: ResetRequest) {
  const { resetOffline: reset } = await import('./control/offline.ts')
  return reset(
    await places(),
    dataDirectory,
    request,
    process.env['POSTERN_ORIGIN'] ?? 'http://localhost:8080',
  )
}

async function ask(question: string): Promise<string> {
  const { createInterface } = await import('node:readline/promises')
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await terminal.question(question)
  } finally {
    terminal.close()
  }
}

/** What kept it from running, as one sentence; a fault of the program with its stack. */
function explain(error: unknown): string {
  if (error instanceof CannotStart) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

// Who reads may have had enough, as `head` does, or be gone, as the client of `mcp`
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})

const args = process.argv.slice(2)
try {
  const isHelp = args.includes('--help') || args.includes('-h')
  if (args[0] === 'up' && !isHelp) await up(args.slice(1))
  else if (args[0] === 'demo' && !isHelp) process.exitCode = await demo(args.slice(1))
  else {
    // `up` goes without
    const { runCli } = await import('./surfaces/cli/program.ts')
    process.exitCode = await runCli(
      {
        operations: async () => (await import('./operations/registry.ts')).OPERATIONS,
        version: VERSION,
        env: process.env,
        out: (line) => process.stdout.write(line),
        err: (line) => process.stderr.write(line),
        readStdin: async () => (await import('node:stream/consumers')).text(process.stdin),
        lines,
        interactive: process.stdin.isTTY === true && process.stderr.isTTY === true,
        colour: process.stdout.isTTY === true,
        ask,
        issueOffline,
        resetOffline,
        up,
        demo,
        build,
        runner,
        upHelp: async () => (await import('./settings/pages.ts')).settingsHelp(),
        builtPlaces: readBuiltPlaces,
        backUp: async (request) =>
          (await import('./upkeep/backup/backup.ts')).backUp(await places(), request),
        restore: async (request) =>
          (await import('./upkeep/backup/restore.ts')).restore(
            (await import('./serve/places.ts')).PLACES,
            request,
          ),
        migrate: async (request) => {
          const { moveOf, PLACES } = await import('./serve/places.ts')
          const { filesIn } = await import('./upkeep/data-files.ts')
          const { config, records } = filesIn(request.data, PLACES)
          const move = await moveOf({ config: config.file, records: records.file }, request.to)
          return (await import('./upkeep/migrate/migrate.ts')).migrate(PLACES, move, request)
        },
        migrateSchema: async ({ database, grantTo }) =>
          (await import('./serve/places.ts')).upgradeSchema(database, grantTo),
        examine: async (request) => {
          const { lookAtValkey } = await import('./serve/places.ts')
          return (await import('./upkeep/doctor/doctor.ts')).examine(await places(), lookAtValkey, request)
        },
        openBrowser: async (url) => (await import('./surfaces/cli/open-browser.ts')).openBrowser(url),
        stopSignal,
        lock: async (file) => (await import('./serve/places.ts')).lockFile(file),
      },
      args,
    )
  }
} catch (error) {
  process.stderr.write(`postern: ${explain(error)}\n`)
  process.exitCode = 1
}
