import { readFileSync } from 'node:fs'
import { type Client, createClient } from '../client/client.ts'
import { type Context, noContext, readContexts } from './context-file.ts'
import { UsageError } from './exit.ts'
import { askLocal, localFetch } from './local.ts'
import type { CliPorts } from './ports.ts'
import { type Door, signedInToken } from './sign-in.ts'
import { suggesting } from './suggest.ts'

const DATA_DEFAULT = './.postern'
const URL_DEFAULT = 'http://127.0.0.1:8081'
const LOCAL_TTL = '5m'

export interface Where {
  readonly url?: string | undefined
  readonly data?: string | undefined
  readonly context?: string | undefined
}

/**
 * A token to show. Asked again with one that was refused, it gives another one where it can come to one, and that
 * one again where it cannot.
 */
type TokenSource = (refused?: string) => Promise<string>

/** The instance that is meant, and what is shown there. */
export interface Target {
  readonly url: string
  /** The context it comes from; null when it does not. */
  readonly context: string | null
  readonly token: TokenSource
  /** Reaches it where the usual fetch cannot verify its certificate. */
  readonly fetch?: typeof fetch | undefined
}

/** The data directory that flags and environment mean. */
export function dataDirOf({ env }: Pick<CliPorts, 'env'>, where: Where): string {
  return where.data ?? (env['POSTERN_DATA'] || DATA_DEFAULT)
}

/** A client of an instance. */
export interface Connected extends Client {
  /** The instance as questions name it: `staging (https://gateway.example.com)`, or its URL without a context. */
  readonly place: string
}

/** A client of the instance that is meant; see {@link findTarget}. */
export async function connect(ports: CliPorts, where: Where): Promise<Connected> {
  return clientOf(ports, await findTarget(ports, where))
}

/** A client of an instance. */
export async function clientOf(ports: CliPorts, { url, context, token, fetch }: Target): Promise<Connected> {
  const reach = fetch ?? ports.fetch
  const client = createClient({
    url,
    token: await token(),
    userAgent: `postern-cli/${ports.version}`,
    ...(reach !== undefined && { fetch: reach }),
  })
  const place = context === null ? url : `${context} (${url})`
  return { ...suggesting(client, ports.operations), place }
}

/**
 * The instance that is meant, by the first of: `--url` and `POSTERN_URL` with `POSTERN_TOKEN`; the context that
 * `--context`, `POSTERN_CONTEXT` or `postern context use` names; the process that serves the data directory.
 * @throws UsageError with what to do when there is no token to show.
 */
export async function findTarget(ports: CliPorts, where: Where, door: Door = 'rest'): Promise<Target> {
  const asked = where.url ?? (ports.env['POSTERN_URL'] || undefined)
  const given = ports.env['POSTERN_TOKEN'] || undefined
  const own = given === undefined ? undefined : always(given)
  if (asked !== undefined && own !== undefined) return { url: toOrigin(asked), context: null, token: own }
  const chosen = chooseContext(ports, where)
  if (chosen !== null) {
    const target = await fromContext(ports, chosen, door)
    if (asked === undefined || toOrigin(asked) === target.url)
      return { ...target, ...(own && { token: own }) }
    // A token of one instance must not be shown to another one
    if (chosen.isAsked)
      throw new UsageError(
        `The context ${chosen.name} is for ${target.url}, but you gave ${asked}: leave out one of the two.`,
      )
  }
  return fromDirectory(dataDirOf(ports, where), asked, own)
}

/** Where the published APIs of the instance that is meant are, found as {@link findTarget} does but with no token to show. */
export async function findGateway(ports: CliPorts, where: Where): Promise<string> {
  const asked = where.url ?? (ports.env['POSTERN_URL'] || undefined)
  if (asked !== undefined) return toOrigin(asked)
  const chosen = chooseContext(ports, where)?.context
  if (chosen !== undefined && chosen.url !== null) return toOrigin(chosen.url)
  const data = chosen?.credential.kind === 'local' ? chosen.credential.data : dataDirOf(ports, where)
  const local = await askLocal(data, 'GET', '/info')
  if (local !== null) return toOrigin(String(local['listen']))
  throw new UsageError(
    `Nothing runs on ${data}. Give the URL of the gateway with --url, or a context with --context.`,
  )
}

/** Where published APIs are called, and with what. */
export interface Caller {
  readonly url: string
  /** Null sends none. */
  readonly token: string | null
}

/**
 * The gateway of {@link findGateway}, with the token of `tokenFile`, of POSTERN_TOKEN, or of a context that was given a token. What a
 * sign-in or the data directory gives is for the management API, so it is never shown to a published API.
 */
export async function findCaller(ports: CliPorts, where: Where, tokenFile?: string): Promise<Caller> {
  const url = await findGateway(ports, where)
  if (tokenFile !== undefined)
    return { url, token: tokenFile === '-' ? (await ports.readStdin()).trim() : readToken(tokenFile) }
  const given = ports.env['POSTERN_TOKEN'] || null
  const context = given === null ? chooseContext(ports, where)?.context : undefined
  if (context?.url == null || toOrigin(context.url) !== url) return { url, token: given }
  const { credential } = context
  if (credential.kind === 'token') return { url, token: credential.token }
  return { url, token: credential.kind === 'token_file' ? readToken(credential.path) : null }
}

interface Chosen {
  readonly name: string
  readonly context: Context
  /** For this command, and not once for all that follow. */
  readonly isAsked: boolean
}

function chooseContext(ports: CliPorts, where: Where): Chosen | null {
  if (where.context !== undefined && where.data !== undefined)
    throw new UsageError('Give either --context or --data, not both.')
  const asked = where.context ?? (ports.env['POSTERN_CONTEXT'] || undefined)
  if (asked === undefined && where.data !== undefined) return null
  const known = readContexts(ports)
  const { contexts, current } = known
  const name = asked ?? current
  if (name === null) return null
  const context = Object.hasOwn(contexts, name) ? contexts[name] : undefined
  if (context === undefined) throw new UsageError(noContext(known, name))
  return { name, context, isAsked: asked !== undefined }
}

async function fromContext(ports: CliPorts, { name, context }: Chosen, door: Door): Promise<Target> {
  const { credential, url } = context
  if (credential.kind === 'local' || url === null) {
    const data = credential.kind === 'local' ? credential.data : dataDirOf(ports, {})
    return { ...(await fromDirectory(data, undefined, undefined)), context: name }
  }
  const target = (token: TokenSource): Target => ({ url: toOrigin(url), context: name, token })
  switch (credential.kind) {
    case 'token':
      return target(always(credential.token))
    case 'token_file':
      return target(async () => readToken(credential.path))
    case 'oauth':
      return target((refused) => signedInToken(ports, name, door, refused))
    default:
      return target(async () => {
        throw new UsageError(`The context ${name} has no token. Run postern login --context ${name}.`)
      })
  }
}

async function fromDirectory(
  data: string,
  asked: string | undefined,
  own: TokenSource | undefined,
): Promise<Target> {
  const local = await askLocal(data, 'GET', '/info')
  const localUrl = local === null ? null : toOrigin(String(local['management_url']))
  const url = asked === undefined ? (localUrl ?? URL_DEFAULT) : toOrigin(asked)
  const fetch = url === localUrl ? localFetch(local) : undefined
  if (own !== undefined) return { url, context: null, token: own, fetch }
  if (localUrl === null)
    throw new UsageError(
      asked === undefined
        ? `No token: nothing runs on ${data}. Start it with postern up, name the data directory of a running instance with --data, or set POSTERN_TOKEN; postern login signs in to another one.`
        : `No token for ${asked}: nothing runs on ${data}. Sign in with postern login ${asked}, name the data directory of that instance with --data, or set POSTERN_TOKEN.`,
    )
  // A token of this instance must not be shown to another one.
  if (url !== localUrl)
    throw new UsageError(
      `No token for ${asked ?? url}: the running instance is at ${localUrl}. Set POSTERN_TOKEN to call elsewhere.`,
    )
  return { url, context: null, token: () => localToken(data), fetch }
}

async function localToken(data: string): Promise<string> {
  const issued = await askLocal(data, 'POST', '/token', {
    role: 'admin',
    ttl: LOCAL_TTL,
    name: 'local command line',
    method: 'local_token',
  })
  if (typeof issued?.['token'] !== 'string')
    throw new UsageError('The running instance did not issue a token. Set POSTERN_TOKEN.')
  return issued['token']
}

function readToken(path: string): string {
  try {
    const token = readFileSync(path, 'utf8').trim()
    if (token !== '') return token
  } catch (error) {
    throw new Error(`The token file ${path} cannot be read: ${(error as Error).message}.`, { cause: error })
  }
  throw new Error(`The token file ${path} is empty.`)
}

function always(token: string): TokenSource {
  return async () => token
}

/** The origin of a URL that may also be written with the path of the API. */
export function toOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '')
    throw new UsageError(`"${text}" is not a URL such as ${URL_DEFAULT}.`)
  return url.origin + url.pathname.replace(/\/+$/, '').replace(/\/management(\/v1)?$/, '')
}
