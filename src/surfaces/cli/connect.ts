import { type Client, createClient } from '../client/client.ts'
import { UsageError } from './exit.ts'
import { askLocal } from './local.ts'
import type { CliPorts } from './ports.ts'

const DATA_DEFAULT = './.postern'
const URL_DEFAULT = 'http://127.0.0.1:8081'
const LOCAL_TTL = '5m'

export interface Where {
  readonly url?: string | undefined
  readonly data?: string | undefined
}

/** The data directory that flags and environment mean. */
export function dataDirOf(ports: CliPorts, where: Where): string {
  return where.data ?? (ports.env['POSTERN_DATA'] || DATA_DEFAULT)
}

/**
 * A client of the instance that is meant: `--url`, `POSTERN_URL`, the process that serves the data directory, the
 * default address. It shows `POSTERN_TOKEN`, or a token of five minutes from the running process.
 * @throws UsageError with what to do when there is no token to show.
 */
export async function connect(ports: CliPorts, where: Where): Promise<Client> {
  const dataDir = dataDirOf(ports, where)
  const asked = where.url ?? (ports.env['POSTERN_URL'] || undefined)
  const given = ports.env['POSTERN_TOKEN'] || undefined
  // Where both are given there is nothing to ask the running process
  const local = asked !== undefined && given !== undefined ? null : await askLocal(dataDir, 'GET', '/info')
  const localUrl = local === null ? null : toOrigin(String(local['management_url']))
  const url = asked === undefined ? (localUrl ?? URL_DEFAULT) : toOrigin(asked)
  const token = given ?? (await localToken(dataDir, url, localUrl, asked))
  return createClient({
    url,
    token,
    userAgent: `postern-cli/${ports.version}`,
    ...(ports.fetch !== undefined && { fetch: ports.fetch }),
  })
}

async function localToken(
  dataDir: string,
  url: string,
  localUrl: string | null,
  asked: string | undefined,
): Promise<string> {
  if (localUrl === null)
    throw new UsageError(
      `No token: nothing runs on ${dataDir}. Start it with postern up, name the data directory of a running instance with --data, or set POSTERN_TOKEN.`,
    )
  // A token of this instance must not be shown to another one.
  if (url !== localUrl)
    throw new UsageError(
      `No token for ${asked ?? url}: the running instance is at ${localUrl}. Set POSTERN_TOKEN to call elsewhere.`,
    )
  const issued = await askLocal(dataDir, 'POST', '/token', {
    role: 'admin',
    ttl: LOCAL_TTL,
    name: 'local command line',
    method: 'local_token',
  })
  if (typeof issued?.['token'] !== 'string')
    throw new UsageError('The running instance gave no token. Set POSTERN_TOKEN.')
  return issued['token']
}

/** The origin of a URL that may also be written with the path of the API. */
function toOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '')
    throw new UsageError(`"${text}" is not a URL such as ${URL_DEFAULT}.`)
  return url.origin + url.pathname.replace(/\/+$/, '').replace(/\/management(\/v1)?$/, '')
}
