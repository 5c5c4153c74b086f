import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { ownPort } from '../support/ports.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const MAIN = join(ROOT, 'postern.js')
/** A run of the tests from sources starts processes from sources. */
const SOURCES = process.env['RUN_SOURCES'] === undefined ? {} : { RUN_SOURCES: process.env['RUN_SOURCES'] }

/** What a finished `postern` process left. */
export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A `postern up` of its own process. */
export interface UpProcess {
  readonly child: ChildProcess
  readonly gatewayUrl: string
  readonly controlUrl: string
  readonly output: () => string
  readonly ended: Promise<Finished>
}

/** Processes that a failed test left behind must not keep the run alive. */
const children = new Set<ChildProcess>()
const groups = new Set<number>()
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  for (const group of groups) if (isGroupAlive(group)) process.kill(-group, 'SIGKILL')
})

/** Whether a process of the group still runs. */
export function isGroupAlive(group: number): boolean {
  try {
    return process.kill(-group, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    return false
  }
}

export function temporaryDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'postern-test-'))
}

function start(
  args: readonly string[],
  env: Record<string, string>,
  isScript = false,
  main = MAIN,
): { child: ChildProcess; text: { out: string; err: string }; ended: Promise<Finished> } {
  const command = isScript ? 'npm' : process.execPath
  const before = isScript ? ['run', 'postern', '--'] : ['--disable-warning=ExperimentalWarning', main]
  const child = spawn(command, [...before, ...args], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'] ?? '', HOME: tmpdir(), NO_COLOR: '1', ...SOURCES, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // As a terminal gives each command a process group of its own
    detached: isScript,
  })
  children.add(child)
  if (isScript && child.pid !== undefined) groups.add(child.pid)
  child.on('close', () => children.delete(child))
  const text = { out: '', err: '' }
  child.stdout.on('data', (piece: Buffer) => {
    text.out += piece.toString()
  })
  child.stderr.on('data', (piece: Buffer) => {
    text.err += piece.toString()
  })
  const ended = new Promise<Finished>((done) =>
    child.on('close', (code, signal) => done({ code, signal, stdout: text.out, stderr: text.err })),
  )
  return { child, text, ended }
}

/** Runs a command to its end. @param killed kills it */
export function runPostern(
  args: readonly string[],
  env: Record<string, string> = {},
  main?: string,
  killed?: AbortSignal,
): Promise<Finished> {
  const { child, ended } = start(args, env, false, main)
  killed?.addEventListener('abort', () => child.kill('SIGKILL'))
  return ended
}

/**
 * Starts `postern up` on free ports and resolves when it says that it is ready; rejects when it ends before.
 * @param args may have other ports, and more than one worker.
 * @param isScript by npm, in a process group of its own that the child leads. @param killed kills it, during its start too
 * @param main the program, if it is not that of this checkout
 */
export async function startUp(
  data: string,
  args: readonly string[] = [],
  env: Record<string, string> = {},
  isScript = false,
  killed?: AbortSignal,
  main?: string,
): Promise<UpProcess> {
  const usual = {
    '--data': data,
    '--listen': `127.0.0.1:${await ownPort()}`,
    '--control-listen': `127.0.0.1:${await ownPort()}`,
    '--workers': '1',
  }
  const flags = Object.entries(usual).filter(([name]) => !args.includes(name))
  const { child, text, ended } = start(['up', ...flags.flat(), ...args], env, isScript, main)
  const kill = (): unknown => child.kill('SIGKILL')
  if (killed?.aborted === true) kill()
  else killed?.addEventListener('abort', kill)
  const ready = new Promise<void>((done) => {
    child.stdout?.on('data', () => {
      if (/ready/i.test(text.out)) done()
    })
  })
  const first = await Promise.race([ready, ended])
  if (first !== undefined)
    throw new Error(`postern up ended with ${first.code}: ${first.stderr}${first.stdout}`)
  const url = (name: string): string => {
    const match = new RegExp(`${name}\\s+(https?://\\S+)`).exec(text.out)
    if (match === null) throw new Error(`no ${name} address in: ${text.out}`)
    return match[1]!
  }
  return {
    child,
    gatewayUrl: url('gateway'),
    controlUrl: url('control'),
    output: () => text.out + text.err,
    ended,
  }
}

/** Ends it as a power cut would. */
export async function killNow(up: UpProcess): Promise<void> {
  up.child.kill('SIGKILL')
  await up.ended
}
