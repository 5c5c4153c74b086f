/**
 * Reads profiles that Node writes with `--cpu-prof`, one of each thread. A sample counts for the function of Postern that was
 * running, or that has called the function of Node or V8 that was.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface Frame {
  readonly functionName: string
  readonly url: string
}

/** What V8 writes, as far as it is read here. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: Frame
    readonly children?: readonly number[]
  }[]
  /** Microseconds of the monotonic clock, as are the distances between samples. */
  readonly startTime: number
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** Time of one function, as a share of all time in which the thread was busy. */
export interface Share {
  readonly group: string
  /** Name and file, or what the system does. */
  readonly name: string
  readonly share: number
}

/** Now, as profiles of any process of this machine tell it: microseconds of the monotonic clock. */
export function profileClock(): number {
  return Number(process.hrtime.bigint() / 1000n)
}

const SENDING = 'kernel: sending'
const WAITING = 'kernel and libuv: waiting, reading'
const COLLECTING = 'garbage collection'
const NODE = 'Node.js'

/** Functions without a file that are groups of their own; all others count for their callers. */
const NATIVE: ReadonlyMap<string, string> = new Map([
  ['writeLatin1String', SENDING],
  ['writeBuffer', SENDING],
  ['(program)', WAITING],
  ['(garbage collector)', COLLECTING],
])

/** The first that fits counts. Paths are relative to `src`. */
const GROUPS: readonly (readonly [RegExp, string])[] = [
  [
    /^wire\/native\/(request-|response-|status-line|field-|known-|scan-|grammar|chunked|unread|body-)/,
    'wire: parsing',
  ],
  [/^wire\/(target|authority|content-kind)/, 'wire: parsing'],
  [/^wire\//, 'wire: connections, pools, messages'],
  [/^(gateway|snapshot)\/find\//, 'find'],
  [/^gateway\/identif|^record\/request-counts/, 'identify'],
  [/^gateway\/admit\//, 'admit'],
  [/^gateway\/forward\//, 'forward'],
  [/^(record\/|gateway\/record\.ts)/, 'record'],
  [/^gateway\//, 'gateway: ends, stages, answer'],
  [/^mcp\/protocol\//, 'mcp: protocol'],
  [/^mcp\//, 'mcp: tools'],
]
const WIRING = 'wiring of the thread'

/**
 * The functions of the gateway thread between two times of {@link profileClock}, those with most time first. The thread is
 * the one that was in `wire` most.
 * @param directory of `--cpu-prof-dir`; the process has ended
 */
export function readShares(directory: string, from: number, to: number): readonly Share[] {
  const profiles = readdirSync(directory)
    .filter((name) => name.endsWith('.cpuprofile'))
    .map((name) => sharesOf(JSON.parse(readFileSync(join(directory, name), 'utf8')) as CpuProfile, from, to))
  const wireOf = (shares: readonly Share[]): number =>
    shares.reduce((sum, { group, share }) => (group.startsWith('wire') ? sum + share : sum), 0)
  return profiles.sort((a, b) => wireOf(b) - wireOf(a))[0] ?? []
}

function sharesOf({ nodes, samples, timeDeltas, startTime }: CpuProfile, from: number, to: number): Share[] {
  const parents = new Map<number, number>()
  for (const { id, children = [] } of nodes) for (const child of children) parents.set(child, id)
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const owners = new Map(nodes.map(({ id }) => [id, ownerOf(id, frames, parents)]))
  const times = new Map<string, number>()
  let at = startTime
  let busy = 0
  for (const [index, id] of samples.entries()) {
    const time = timeDeltas[index]!
    at += time
    if (at < from || at > to || frames.get(id)!.functionName === '(idle)') continue
    const owner = owners.get(id)!
    times.set(owner, (times.get(owner) ?? 0) + time)
    busy += time
  }
  return [...times]
    .map(([owner, time]) => {
      const [group = '', name = ''] = owner.split('\n')
      return { group, name, share: time / busy }
    })
    .sort((a, b) => b.share - a.share)
}

/** Group and name of the function that the time of a node counts for, with a line break between them. */
function ownerOf(
  node: number,
  frames: ReadonlyMap<number, Frame>,
  parents: ReadonlyMap<number, number>,
): string {
  const { functionName } = frames.get(node)!
  const native = NATIVE.get(functionName)
  if (native !== undefined) return `${native}\n${functionName}`
  let helper: string | null = null
  for (let at: number | undefined = node; at !== undefined; at = parents.get(at)) {
    const frame: Frame = frames.get(at)!
    const path = /\/src\/(.+)$/.exec(frame.url)?.[1]
    if (path === undefined) continue
    const name = `${frame.functionName === '' ? 'a function' : frame.functionName} (${path})`
    helper ??= name
    // Helpers know no domain: their callers do
    if (!path.startsWith('base/')) return `${groupOf(path)}\n${helper}`
  }
  return `${NODE}\n${helper ?? functionName}`
}

function groupOf(path: string): string {
  return GROUPS.find(([pattern]) => pattern.test(path))?.[1] ?? WIRING
}
