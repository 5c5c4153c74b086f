/**
 * Clients of other projects, as their users run them. They are no dependencies: a test installs the exact version,
 * without its install scripts, into a directory of its own.
 */
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'

/** How long the registry may take, milliseconds. */
const INSTALL_MS = 120_000

/** Why these tests do not run here; false when they do. */
export const WHY_NOT: string | false =
  process.env['REAL_CLIENTS'] === undefined
    ? 'they install programs of other projects: npm run test:all'
    : process.platform !== 'linux' && 'only on Linux clients open what BROWSER names'

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs a program to its end. */
export function run(
  command: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly input?: string; readonly timeout?: number } = {},
): Promise<Ended> {
  const { env, timeout, input = '' } = options
  const child = spawn(command, args, { env: env ?? process.env, timeout })
  const text = { out: '', err: '' }
  child.stdout.on('data', (piece: Buffer) => {
    text.out += piece.toString()
  })
  child.stderr.on('data', (piece: Buffer) => {
    text.err += piece.toString()
  })
  child.stdin.end(input)
  return new Promise((done) => {
    child.on('error', (error) => done({ code: null, ...text, err: error.message }))
    child.on('close', (code) => done({ code, ...text }))
  })
}

/** A home of its own for what clients keep, with the programs that are installed there. */
export interface Home extends Disposable {
  readonly directory: string
  readonly env: Readonly<Record<string, string>>
  /** What the browser has done since this was last asked, a line each. */
  readonly browsed: () => string
  /** Scopes that the person allows when a browser is opened next; all of them without. */
  readonly tickNext: (scopes: readonly string[]) => void
  readonly install: (name: string, version: string, file: string) => Promise<Installed>
}

/** A file of an installed package, or why there is none. */
export type Installed = { readonly file: string } | { readonly why: string }

export function makeHome(): Home {
  const directory = mkdtempSync(join(tmpdir(), 'postern-clients-'))
  const log = join(directory, 'browser.log')
  const ticks = join(directory, 'browser.ticks')
  const browser = join(directory, 'browser')
  const program = resolve(import.meta.dirname, 'browser.ts')
  writeFileSync(browser, `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`)
  chmodSync(browser, 0o755)
  writeFileSync(log, '')
  return {
    directory,
    env: {
      PATH: [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
      HOME: directory,
      XDG_CONFIG_HOME: join(directory, 'config'),
      BROWSER: browser,
      BROWSER_LOG: log,
      BROWSER_TICKS: ticks,
      MCP_AUTO_OPEN_ENABLED: 'true',
      // Never the key ring of whoever runs the tests
      MCP_INSPECTOR_SECRET_STORE: 'file',
      NO_COLOR: '1',
    },
    browsed: () => {
      const lines = readFileSync(log, 'utf8')
      writeFileSync(log, '')
      return lines
    },
    tickNext: (scopes) => writeFileSync(ticks, scopes.join(' ')),
    install: async (name, version, file) => {
      const prefix = join(directory, 'installed', name)
      mkdirSync(prefix, { recursive: true })
      const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--fetch-retries=0']
      const args = ['install', ...flags, '--prefix', prefix, `${name}@${version}`]
      const { code, err } = await run('npm', args, { timeout: INSTALL_MS })
      const reason = /npm error (.*)/.exec(err)?.[1] ?? 'npm did not end in time'
      if (code !== 0) return { why: `${name}@${version} cannot be installed here: ${reason}` }
      return { file: join(prefix, 'node_modules', name, file) }
    },
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  }
}

/** The scopes of each request for authorization that a browser was sent with. */
export function scopesOf(browsed: string): string[] {
  return [...browsed.matchAll(/^opened (.*)$/gm)].map(
    ([, url]) => new URL(url!).searchParams.get('scope') ?? '',
  )
}
