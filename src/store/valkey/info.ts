/** What servers say of themselves: the text of `INFO`. */

/** As much of `INFO` as is used here (https://redis.io/docs/latest/commands/info). */
export interface ServerInfo {
  readonly product: 'Valkey' | 'Redis'
  readonly version: string
  readonly role: 'primary' | 'replica'
  /** Replicas that follow it. */
  readonly replicas: number
  readonly isCluster: boolean
  /** It reads its data from the disk and serves nothing yet. */
  readonly isLoading: boolean
  /** `maxmemory-policy`. */
  readonly policy: string
  /**
   * Names its data: a process and a history of replication. A restart changes the first, and a replica that takes over, or a primary that
   * was a replica meanwhile, the second.
   */
  readonly era: string
}

/** Lines of `INFO` as far as they are read: it has about two hundred. */
const LINES_MAX = 2000

/** @throws Error for a text that is not the answer of a server */
export function readInfo(text: unknown): ServerInfo {
  const members = membersOf(text)
  const version = members.get('valkey_version') ?? members.get('redis_version')
  const id = members.get('run_id')
  if (version === undefined || id === undefined)
    throw new Error('the server does not answer INFO as Valkey does')
  return {
    product: members.has('valkey_version') ? 'Valkey' : 'Redis',
    version,
    role: roleIn(members),
    replicas: Number(members.get('connected_slaves') ?? 0),
    isCluster: members.get('cluster_enabled') === '1',
    isLoading: members.get('loading') === '1',
    policy: members.get('maxmemory_policy') ?? '',
    era: `${id}/${historyIn(members)}`,
  }
}

/** What may change while a connection stays: true for a primary of the same data. @param text of `INFO replication` */
export function isStill({ era }: ServerInfo, text: unknown): boolean {
  const members = membersOf(text)
  return roleIn(members) === 'primary' && era.endsWith(`/${historyIn(members)}`)
}

function membersOf(text: unknown): ReadonlyMap<string, string> {
  const lines = typeof text === 'string' ? text.split(/\r?\n/, LINES_MAX) : []
  return new Map(
    lines.flatMap((line): [string, string][] => {
      const colon = line.indexOf(':')
      return colon === -1 ? [] : [[line.slice(0, colon), line.slice(colon + 1)]]
    }),
  )
}

function roleIn(members: ReadonlyMap<string, string>): 'primary' | 'replica' {
  return members.get('role') === 'master' ? 'primary' : 'replica'
}

function historyIn(members: ReadonlyMap<string, string>): string {
  return members.get('master_replid') ?? ''
}
