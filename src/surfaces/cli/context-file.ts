/**
 * The file of contexts. It changes under a lock that the system releases when the process ends. Refreshing a token takes the
 * lock too, because a refresh token is valid once.
 */
import { closeSync, constants, fstatSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { replaceOwnFile } from '../../base/files.ts'
import { nearestName } from '../../base/text/distance.ts'
import type { CliPorts } from './ports.ts'

/** What a sign-in left: tokens, and where they are renewed and revoked. */
const SignedIn = z.strictObject({
  kind: z.literal('oauth'),
  issuer: z.url(),
  client_id: z.string(),
  resource: z.url(),
  scope: z.string(),
  access_token: z.string(),
  /** Milliseconds since the epoch. */
  expires_at: z.int(),
  refresh_token: z.string().nullable(),
  /** Management MCP where it wants tokens of its own (RFC 8707); the token is asked for when it is first needed. */
  mcp: z
    .strictObject({ resource: z.url(), access_token: z.string().nullable(), expires_at: z.int() })
    .nullable()
    .default(null),
})
export type SignedIn = z.output<typeof SignedIn>

const Credential = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({ kind: z.literal('token'), token: z.string().min(1) }),
  z.strictObject({ kind: z.literal('token_file'), path: z.string().min(1) }),
  z.strictObject({ kind: z.literal('local'), data: z.string().min(1) }),
  SignedIn,
])

const Context = z.strictObject({
  /** Null for one that is found by its data directory. */
  url: z.url().nullable(),
  credential: Credential,
})
export type Context = z.output<typeof Context>

/** Names are typed in a shell, and stand in messages. */
export const CONTEXT_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/

const Contexts = z.strictObject({
  version: z.literal(1),
  current: z.string().nullable(),
  contexts: z.record(z.string().regex(CONTEXT_NAME), Context),
})
export type Contexts = z.output<typeof Contexts>

const EMPTY: Contexts = { version: 1, current: null, contexts: {} }

/** That there is no context of a name, with the one that was most likely meant. */
export function noContext({ contexts }: Contexts, name: string): string {
  const nearest = nearestName(name, Object.keys(contexts))
  return nearest === null
    ? `There is no context "${name}"; postern context list shows all contexts.`
    : `There is no context "${name}". Did you mean "${nearest}"?`
}

/** Where contexts are kept: `POSTERN_CONFIG`, or below the user's configuration directory; null where there is none. */
export function contextFileOf({ env }: Pick<CliPorts, 'env'>): string | null {
  if (env['POSTERN_CONFIG']) return env['POSTERN_CONFIG']
  const home = env['HOME'] || env['USERPROFILE']
  const base = env['XDG_CONFIG_HOME'] || (home && join(home, '.config'))
  return base ? join(base, 'postern', 'config.json') : null
}

/** Reads the contexts; none where there is no file. Throws one sentence for a file that others can read, or a broken one. */
export function readContexts(ports: Pick<CliPorts, 'env'>): Contexts {
  const file = contextFileOf(ports)
  const text = file === null ? null : readOwn(file)
  if (text === null) return EMPTY
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw broken(file!, 'it is not JSON', error)
  }
  const parsed = Contexts.safeParse(value)
  if (parsed.success) return parsed.data
  const { path, message } = parsed.error.issues[0]!
  throw broken(file!, `/${path.join('/')}: ${message}`, parsed.error)
}

/**
 * Changes the contexts while no other process does, and gives what `change` answers. The file is whole at any moment,
 * and readable by its owner alone. Nothing is written when `change` answers no new contexts.
 */
export async function changeContexts<T>(
  ports: CliPorts,
  change: (contexts: Contexts) => Promise<readonly [Contexts | null, T]> | readonly [Contexts | null, T],
): Promise<T> {
  const file = contextFileOf(ports)
  if (file === null)
    throw new Error(
      'There is no home directory for the file of contexts: set POSTERN_CONFIG to the path of a file.',
    )
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const release = await ports.lock(`${file}.lock`)
  try {
    const [next, result] = await change(readContexts(ports))
    if (next !== null) replaceOwnFile(file, `${JSON.stringify(next, null, 2)}\n`)
    return result
  } finally {
    release()
  }
}

function readOwn(file: string): string | null {
  let descriptor: number
  try {
    descriptor = openSync(file, constants.O_RDONLY)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new Error(`${file} cannot be read: ${(error as Error).message}.`, { cause: error })
  }
  try {
    const mode = fstatSync(descriptor).mode & 0o777
    if ((mode & 0o077) !== 0 && process.platform !== 'win32')
      throw new Error(
        `${file} contains tokens and can be read by other users (mode ${mode.toString(8)}). Run: chmod 600 ${file}`,
      )
    return readFileSync(descriptor, 'utf8')
  } finally {
    closeSync(descriptor)
  }
}

function broken(file: string, what: string, cause: unknown): Error {
  return new Error(
    `${file} is not a valid list of contexts (${what}). Correct it, or delete it and add the contexts again.`,
    {
      cause,
    },
  )
}
