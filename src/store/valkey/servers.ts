/** The servers in use: a primary, or the primaries of a cluster. */
import { createHash } from 'node:crypto'
import { shownServer, type ValkeyAddress, type ValkeyServer } from '../../base/net/valkey-url.ts'
import type { ScriptAnswer, ScriptCall } from '../ports/valkey.ts'
import { isStill } from './info.ts'
import { connectLink, ErrorReply, type Link, messageOf } from './link.ts'

/** A script with the SHA-1 by which servers know it. */
export interface LoadedScript {
  readonly source: string
  readonly sha: string
}

export function loadScripts(sources: Readonly<Record<string, string>>): ReadonlyMap<string, LoadedScript> {
  return new Map(
    Object.entries(sources).map(([name, source]) => [
      name,
      { source, sha: createHash('sha1').update(source).digest('hex') },
    ]),
  )
}

/** Connections that are in use together. When one of them is lost, all are given up. */
export interface Servers {
  readonly links: readonly Link[]
  readonly era: string
  /** All servers of a cluster, which may be asked where the address names none that answers. */
  readonly members: readonly ValkeyServer[]
  /** Runs a call. Rejects as {@link Link.send}, or with a {@link Moved}. */
  run(script: LoadedScript, call: ScriptCall): Promise<ScriptAnswer>
  /** Rejects where a server does not answer, or is not what it was. */
  probe(): Promise<void>
  destroy(): void
}

/** The servers are not those that they were: another connection finds the new ones. */
class Moved extends Error {}

/** A call is sent to another server of a cluster so often. */
const REDIRECTS_MAX = 3

/**
 * Connects to the servers of an address, all at once, and finds out what they are. Of several primaries, which is a failover that is
 * not over, the one with most replicas is used. Rejects with an Error that contains no password.
 * @param members of the cluster that was connected to before: asked where no server of the address answers
 * @param lost called when a connection ends by itself
 */
export async function connectServers(
  address: ValkeyAddress,
  members: readonly ValkeyServer[],
  lost: (reason: Error) => void,
): Promise<Servers> {
  const connect = async (servers: readonly ValkeyServer[]) => {
    const made = await Promise.allSettled(servers.map((server) => connectLink(address, server, lost)))
    return {
      links: made.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])),
      faults: made.flatMap((one) => (one.status === 'rejected' ? [messageOf(one.reason)] : [])),
    }
  }
  const { links, faults } = await connect(address.servers)
  if (links.length === 0) links.push(...(await connect(members)).links)
  try {
    if (links.length === 0) throw new Error(faults.join('; '))
    if (links.some(({ info }) => info.isCluster)) return await connectCluster(address, links, lost)
    const primaries = links.filter(({ info }) => info.role === 'primary' && !info.isLoading)
    const primary = primaries.toSorted((a, b) => b.info.replicas - a.info.replicas)[0]
    if (primary === undefined) {
      const others = links.map(
        ({ server, info }) =>
          `${shownServer(server)} is ${info.isLoading ? 'reading its data' : 'a replica'}`,
      )
      throw new Error(`no server is a primary: ${[...others, ...faults].join('; ')}`)
    }
    for (const link of links) if (link !== primary) link.destroy()
    return single(primary)
  } catch (error) {
    for (const link of links) link.destroy()
    throw error
  }
}

function single(link: Link): Servers {
  return {
    links: [link],
    era: link.info.era,
    members: [],
    run: (script, call) => evaluate(link, script, call, false),
    probe: () => probe(link),
    destroy: () => link.destroy(),
  }
}

/** @param links those that are made already; the ones that are not needed are ended */
async function connectCluster(
  address: ValkeyAddress,
  links: readonly Link[],
  lost: (reason: Error) => void,
): Promise<Servers> {
  const seed = await seedAmong(links)
  const ranges = readSlots(await seed.send(['CLUSTER', 'SLOTS']), seed.server)
  const made = new Map(links.map((link) => [shownServer(link.server), link]))
  const used = new Map<string, Link>()
  const tried = await Promise.allSettled(
    [...new Map(ranges.map(({ primary }) => [shownServer(primary), primary]))].map(async ([name, server]) => {
      used.set(name, made.get(name) ?? (await connectLink(address, server, lost)))
    }),
  )
  for (const link of links) if (![...used.values()].includes(link)) link.destroy()
  const servers = new Cluster(
    used,
    ranges.flatMap(({ primary, replicas }) => [primary, ...replicas]),
  )
  try {
    for (const one of tried) if (one.status === 'rejected') throw one.reason
    for (const { first, last, primary } of ranges) servers.give(first, last, shownServer(primary))
    const replica = servers.links.find(({ info }) => info.role === 'replica')
    if (replica !== undefined)
      throw new Error(`${shownServer(replica.server)}: a failover of the cluster is not over`)
    servers.demandAllSlots()
    return servers
  } catch (error) {
    servers.destroy()
    throw error
  }
}

/** The first that sees the cluster whole: another one may be cut off from it. */
async function seedAmong(links: readonly Link[]): Promise<Link> {
  const states: string[] = []
  for (const link of links.filter(({ info }) => info.isCluster)) {
    const state = /cluster_state:(\w+)/.exec(String(await link.send(['CLUSTER', 'INFO'])))?.[1]
    if (state === 'ok') return link
    states.push(`${shownServer(link.server)}: the cluster has the state ${state}`)
  }
  throw new Error(states.join('; '))
}

interface SlotRange {
  readonly first: number
  readonly last: number
  readonly primary: ValkeyServer
  readonly replicas: readonly ValkeyServer[]
}

/** The answer to `CLUSTER SLOTS`. @throws Error for another one */
function readSlots(answer: unknown, asked: ValkeyServer): SlotRange[] {
  const refuse = (): never => {
    throw new Error('the server does not answer CLUSTER SLOTS as Valkey does')
  }
  const serverOf = (entry: unknown): ValkeyServer => {
    const [host, port] = Array.isArray(entry) ? (entry as unknown[]) : []
    if (typeof port !== 'number') return refuse()
    // A server that does not know its address leaves that out
    return { host: typeof host === 'string' && host !== '' ? host : asked.host, port }
  }
  if (!Array.isArray(answer)) return refuse()
  return answer.map((entry: unknown) => {
    const [first, last, primary, ...replicas] = Array.isArray(entry) ? (entry as unknown[]) : []
    if (typeof first !== 'number' || typeof last !== 'number') return refuse()
    return { first, last, primary: serverOf(primary), replicas: replicas.map(serverOf) }
  })
}

/** Primaries of a cluster, and which of them has each slot. */
class Cluster implements Servers {
  readonly #links: ReadonlyMap<string, Link>
  readonly #slots: (Link | undefined)[] = Array.from({ length: SLOTS })

  readonly members: readonly ValkeyServer[]

  constructor(links: ReadonlyMap<string, Link>, members: readonly ValkeyServer[]) {
    this.#links = links
    this.members = members
  }

  get links(): readonly Link[] {
    return [...this.#links.values()]
  }

  get era(): string {
    return this.links
      .map(({ info }) => info.era)
      .toSorted()
      .join(',')
  }

  give(first: number, last: number, to: string): void {
    for (let slot = Math.max(0, first); slot <= Math.min(last, SLOTS - 1); slot++)
      this.#slots[slot] = this.#links.get(to)
  }

  demandAllSlots(): void {
    if (this.#slots.includes(undefined)) throw new Error('the cluster does not serve all slots')
  }

  async run(script: LoadedScript, call: ScriptCall): Promise<ScriptAnswer> {
    const slot = slotOf(call.keys[0] ?? '')
    let link = this.#slots[slot]!
    let isAsking = false
    for (let sent = 1; ; sent++) {
      try {
        return await evaluate(link, script, call, isAsking)
      } catch (error) {
        const to = redirectOf(error, link.server)
        if (to === null) throw error
        const next = this.#links.get(to.server)
        // Not one of those in use: after a failover the data may be older
        if (next === undefined || sent === REDIRECTS_MAX) throw new Moved(messageOf(error))
        link = next
        isAsking = to.isAsking
        if (!isAsking) this.#slots[slot] = next
      }
    }
  }

  async probe(): Promise<void> {
    await Promise.all(this.links.map(probe))
  }

  destroy(): void {
    for (const link of this.links) link.destroy()
  }
}

/** `MOVED slot host:port`: the server has the slot. `ASK slot host:port`: it has this key of a slot that is moving. */
function redirectOf(
  error: unknown,
  asked: ValkeyServer,
): { readonly server: string; readonly isAsking: boolean } | null {
  const match = error instanceof ErrorReply ? /^(MOVED|ASK) \d+ (.*):(\d+)$/.exec(error.message) : null
  if (match === null) return null
  const host = match[2]! === '' ? asked.host : match[2]!
  return { server: shownServer({ host, port: Number(match[3]) }), isAsking: match[1] === 'ASK' }
}

async function evaluate(
  link: Link,
  { source, sha }: LoadedScript,
  { keys, args }: ScriptCall,
  isAsking: boolean,
): Promise<ScriptAnswer> {
  const words = [String(keys.length), ...keys, ...args.map(String)]
  const send = async (...command: readonly string[]): Promise<unknown> => {
    // Allows the next command alone
    const allowed = isAsking ? link.send(['ASKING']) : null
    const [answer] = await Promise.all([link.send([...command, ...words]), allowed])
    return answer
  }
  try {
    return answerOf(await send('EVALSHA', sha))
  } catch (error) {
    if (!(error instanceof ErrorReply) || error.code !== 'NOSCRIPT') throw error
    return answerOf(await send('EVAL', source))
  }
}

function answerOf(answer: unknown): ScriptAnswer {
  const isOne = (one: unknown): one is number | string => typeof one === 'number' || typeof one === 'string'
  if (Array.isArray(answer) && answer.every(isOne)) return answer
  throw new Error('a script answered something else than a list of numbers and strings')
}

async function probe(link: Link): Promise<void> {
  let text: unknown
  try {
    text = await link.send(['INFO', 'replication'])
  } catch (error) {
    // A script runs long: the deadline of its call judges it
    if (error instanceof ErrorReply && error.code === 'BUSY') return
    throw error
  }
  if (!isStill(link.info, text)) throw new Moved(`${shownServer(link.server)} is no longer the same primary`)
}

// Where a cluster keeps a key (Redis cluster specification, "Key distribution model" and "Hash tags").

const SLOTS = 16_384

/** CRC-16 of XMODEM, by the highest byte of the sum so far. */
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let sum = byte << 8
  for (let bit = 0; bit < 8; bit++) sum = sum & 0x8000 ? (sum << 1) ^ 0x1021 : sum << 1
  return sum
})

/** The slot of a key: of its hash tag, the text between its first `{` and the next `}`, if that is not empty. */
export function slotOf(key: string): number {
  const open = key.indexOf('{')
  const close = open === -1 ? -1 : key.indexOf('}', open + 1)
  const hashed = close > open + 1 ? key.slice(open + 1, close) : key
  let sum = 0
  for (const byte of Buffer.from(hashed)) sum = ((sum << 8) ^ TABLE[((sum >> 8) ^ byte) & 0xff]!) & 0xffff
  return sum % SLOTS
}
