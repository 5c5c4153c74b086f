import { canonicalJsonPaused, textHash } from '../../base/json/canonical.ts'
import { type FieldError, refuse } from '../../base/refusal.ts'
import { InLine } from '../../base/threads/in-line.ts'
import { inSlices, yieldThread } from '../../base/threads/time-slices.ts'
import { checkFragment } from '../../snapshot/compile/check.ts'
import {
  type Compiled,
  compileOrClose,
  compileResource,
  dependentsOf,
  SEALED_TYPES,
  SERVED_TYPES,
  type Served,
  servedBy,
  unusedAfter,
} from '../../snapshot/compile/compile-resource.ts'
import { type CollectionFragment, FORM, type Fragment, type FragmentKey } from '../../snapshot/fragments.ts'
import {
  createPacker,
  digestOf,
  FragmentText,
  type KeptSnapshot,
  keyOf,
  type PackedSnapshot,
  type TextDelta,
} from '../../snapshot/packed-fragments.ts'
import type { Acknowledged, Publisher } from '../../snapshot/snapshot.ts'
import type { ConfigReader, ConfigStore, FragmentChanges, StoredFragment } from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'
import { StoreUnavailable } from '../../store/ports/unavailable.ts'
import type { Job, RunApart } from './apart.ts'
import { readPages } from './config-in-memory.ts'
import type { Changed } from './diff.ts'

/**
 * Compiles what changed and what is compiled of it, each served resource once.
 * @param check judges a fragment as gateway threads will; what it finds refuses the change
 */
export async function compileChanges(
  reader: ConfigReader,
  changes: readonly Pick<Changed, 'before' | 'after'>[],
  check: (fragment: Fragment) => readonly FieldError[] | Promise<readonly FieldError[]>,
): Promise<Compiled> {
  const put: Fragment[] = []
  const drop: FragmentKey[] = []
  const errors: FieldError[] = []
  const touched = servedIn(changes)
  for (const [index, served] of [...touched, ...(await dependentsOf(reader, touched))].entries()) {
    const compiled = await compileResource(reader, served)
    put.push(...compiled.put)
    drop.push(...compiled.drop)
    for (const fragment of compiled.put) {
      errors.push(...(await check(fragment)))
      // What a collection of thousands of endpoints becomes takes long, each by itself
      await yieldThread(index + 1)
    }
    await yieldThread(index + 1)
  }
  if (errors.length > 0)
    throw refuse('configuration_invalid', {
      detail: `The configuration would not work: ${errors[0]!.reason}.`,
      errors,
    })
  let done = 0
  for (const { before, after } of changes) {
    if (before !== null) drop.push(...(await unusedAfter(reader, before, after)))
    await yieldThread(++done)
  }
  return { put, drop }
}

function servedIn(changes: readonly Pick<Changed, 'before' | 'after'>[]): readonly Served[] {
  const all = changes.map(({ before, after }) => servedBy((after ?? before)!)).filter((one) => one !== null)
  return [...new Map(all.map((one) => [one.id, one])).values()]
}

/** What holds the secrets of these owners, as it stands; what did not work before stays closed. */
export async function compileResealed(
  reader: ConfigReader,
  owners: readonly string[],
): Promise<readonly Fragment[]> {
  const all = new Map<string, Served>()
  for (const owner of owners) {
    const resource = await ownerOf(reader, owner)
    const served = resource === undefined ? null : servedBy(resource)
    if (served !== null) all.set(served.id, served)
  }
  const put: Fragment[] = []
  for (const served of all.values()) put.push(...(await compileOrClose(reader, served)).put)
  return put
}

async function ownerOf(reader: ConfigReader, id: string): Promise<Resource | undefined> {
  for (const type of SEALED_TYPES) {
    const found = await reader.byId(type, id)
    if (found !== undefined) return found
  }
  return undefined
}

/** Fragments as they are stored, each once. */
export async function toStored(
  put: readonly Fragment[],
  drop: readonly FragmentKey[],
): Promise<Pick<FragmentChanges, 'put' | 'drop'>> {
  const unique = new Map(put.map((fragment) => [keyOf(fragment), fragment]))
  const stored: StoredFragment[] = []
  for (const [key, fragment] of unique) {
    const json = await inSlices(canonicalJsonPaused(fragment))
    await yieldThread(stored.length + 1)
    stored.push({ key, hash: textHash(json), form: FORM, json })
    await yieldThread(stored.length)
  }
  return { put: stored, drop: [...new Set(drop.filter((key) => !unique.has(key)))] }
}

/** A stored fragment as gateway threads take it, not parsed. */
function toText({ key, hash, json }: StoredFragment): FragmentText {
  // Written by toStored from a key of this very type
  return new FragmentText(key as FragmentKey, hash, json)
}

/**
 * All fragments as the configuration compiles to them now, some at a time. A fragment that several resources share comes with each of
 * them. Resolves with whether all of it compiles.
 */
async function compileAll(
  reader: ConfigReader,
  take: (some: readonly StoredFragment[]) => Promise<void> | void,
): Promise<boolean> {
  let isWhole = true
  for (const type of SERVED_TYPES)
    for await (const page of readPages(reader, type)) {
      const put: Fragment[] = []
      for (const id of page.ids) {
        const compiled = await compileOrClose(page.reader, { type, id })
        put.push(...compiled.put)
        isWhole &&= !compiled.isClosed
      }
      await take((await toStored(put, [])).put)
    }
  return isWhole
}

/**
 * The whole configuration, compiled anew. `done` runs before any later change can be published, so that what takes it there misses
 * none.
 */
export function fullSnapshot(
  store: ConfigStore,
  done?: (whole: PackedSnapshot) => void,
): Promise<PackedSnapshot> {
  return store.still(compiledSnapshot, done)
}

async function compiledSnapshot(reader: ConfigReader): Promise<PackedSnapshot> {
  const revision = await reader.revision()
  const packer = createPacker()
  await compileAll(reader, (some) => some.map(toText).forEach(packer.add))
  return { revision, fragments: packer.done() }
}

/** Names what compiles fragments in the store. @param version of the compiler */
export function compilerOf(version: string): string {
  return `${FORM} ${version}`
}

/**
 * The whole configuration at a start: as it is stored if this very version has compiled all of it, else compiled anew and stored.
 * @param version names what compiles them: another one may compile the same configuration to something else
 * @param copy is answered itself where it has the same fragments, which are not read again then
 */
export async function firstSnapshot(
  store: ConfigStore,
  version: string,
  copy: KeptSnapshot | null = null,
): Promise<PackedSnapshot> {
  const compiler = compilerOf(version)
  const kept = await store.still(async (reader) =>
    copy !== null && (await isCopy(reader, compiler, copy)) ? copy : keptSnapshot(reader, compiler),
  )
  if (kept !== null) return kept
  return store.write(async (writer) => {
    const revision = await writer.revision()
    const packer = createPacker()
    await writer.replaceFragments(revision, async (put) => {
      const isWhole = await compileAll(writer, async (some) => {
        some.map(toText).forEach(packer.add)
        await put(some)
      })
      return isWhole ? compiler : null
    })
    return { revision, fragments: packer.done() }
  })
}

/** Fragments that are read at once. */
const PAGE = 100

/** Whether a copy has what is stored. */
async function isCopy(reader: ConfigReader, compiler: string, copy: KeptSnapshot): Promise<boolean> {
  if ((await reader.revision()) !== copy.revision) return false
  const stored = await reader.fragmentHashes(compiler, FORM)
  // Written by toStored from keys of this very type
  return stored !== null && digestOf(stored as readonly { key: FragmentKey; hash: string }[]) === copy.digest
}

/** Null where fragments are of another compiler or form, or are not what was written. */
async function keptSnapshot(reader: ConfigReader, compiler: string): Promise<PackedSnapshot | null> {
  const revision = await reader.revision()
  const packer = createPacker()
  for (let after = ''; ; ) {
    const page = await reader.fragments(compiler, after, PAGE)
    if (page === null || page.some(({ form, hash, json }) => form !== FORM || textHash(json) !== hash))
      return null
    page.map(toText).forEach(packer.add)
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE) return { revision, fragments: packer.done() }
    after = last.key
  }
}

/** What has changed since a revision, as threads take it; everything where that is not known any more, or was compiled elsewhere. */
async function deltaSince(
  reader: ConfigReader,
  revision: number,
  compiler: string | undefined,
): Promise<TextDelta> {
  const changes = await reader.fragmentsSince(revision, compiler)
  if (changes === null) {
    const { revision, fragments } = await compiledSnapshot(reader)
    return { revision, full: true, put: [...fragments], drop: [] }
  }
  const { put, drop } = changes
  return {
    revision: changes.revision,
    full: false,
    put: put.map(toText),
    drop: drop as readonly FragmentKey[],
  }
}

/** Keys of stored fragments that are not what the configuration compiles to, in order; empty where none are stored. */
export async function outdatedFragments(store: ConfigStore): Promise<readonly string[]> {
  return store.still(async (reader) => {
    const stored = await reader.fragmentsSince(0)
    if (stored === null) return []
    const known = new Map<string, string>()
    await compileAll(reader, (some) => {
      for (const { key, hash } of some) known.set(key, hash)
    })
    const differing = stored.put.filter(({ key, hash }) => known.get(key) !== hash).map(({ key }) => key)
    const there = new Set(stored.put.map(({ key }) => key))
    return [...differing, ...[...known.keys()].filter((key) => !there.has(key))].toSorted()
  })
}

export interface FragmentPublisher extends Publisher {
  /**
   * Sends what was committed and not sent, by whichever process that shares the store. To be called now and then. Resolves with whether
   * the threads have all that was committed before the call.
   */
  catchUp(): Promise<boolean>
}

/** Processes that share the store. Neither promise rejects. */
interface OtherNodes {
  /** Tells them that the threads of this process have a revision, and that it is on disk. */
  acknowledge(revision: number): Promise<void>
  /** Names of those that have not acknowledged a revision in time. */
  missing(revision: number): Promise<readonly string[]>
}

export interface PublisherParts {
  readonly reader: ConfigReader
  /** The revision that the threads start with. */
  readonly revision: number
  /** {@link compilerOf} this process: what another one has compiled is compiled anew. Absent: compilers are not told apart. */
  readonly compiler?: string
  /** Takes a delta to the threads before it returns; resolves when they have acknowledged it, or the deadline is over. */
  readonly send: (delta: TextDelta) => Promise<{ readonly pending: boolean }>
  /** The other processes that publish what is committed; null where there can be none. */
  readonly nodes?: OtherNodes | null
  /** Keeps a delta for a start without the store, on disk when it resolves; threads take the delta on meanwhile. It gets no secrets that are read elsewhere. */
  readonly keep?: (delta: TextDelta) => Promise<void>
}

/**
 * Publishes by revision.
 * 1. A delta is read from the store: everything after the revision that was sent last. The process that has compiled it
 *    is not asked, so that processes which share a store publish alike.
 * 2. Deltas are sent one at a time, in the order of their revisions, none twice.
 * 3. What is published is on disk before `publish` resolves, so that what was revoked is not served again.
 * 4. A read that fails leaves the revision where it is: the next publication, or `catchUp`, sends what is missing.
 * 5. Other processes are told of a revision once the threads of this one have it and it is on disk.
 */
export function createFragmentPublisher({
  reader,
  revision,
  compiler,
  send,
  keep,
  nodes = null,
}: PublisherParts): FragmentPublisher {
  let sent = revision
  /** What all threads have confirmed. */
  let held = revision
  let acknowledged: Promise<{ readonly pending: boolean }> = Promise.resolve({ pending: false })
  const line = new InLine(1)

  /** Sends a delta, and keeps it. Resolves when it is kept. */
  async function sendDelta(delta: TextDelta): Promise<void> {
    const confirmed = send(delta)
    // Both take long for a large collection
    await yieldThread(1)
    // Nothing new where the threads are only asked to confirm
    const kept = delta.revision > sent ? keep?.(delta) : undefined
    acknowledged = (async () => {
      const [{ pending }] = await Promise.all([confirmed, kept])
      if (!pending && delta.revision > held) {
        held = delta.revision
        await nodes?.acknowledge(held)
      }
      return { pending }
    })()
    // The caller of `publish` or `catchUp` is told of a failure; here it would end the process
    acknowledged.catch(() => {})
    await kept
    sent = delta.revision
  }

  async function sendRest(): Promise<void> {
    const delta = await deltaSince(reader, sent, compiler)
    if (delta.revision > sent) await sendDelta(delta)
  }

  /** As `acknowledged`, of this process and of the others. */
  async function everywhere(wanted: number, here: typeof acknowledged): Promise<Acknowledged> {
    if (nodes === null) return here
    const [{ pending }, missing] = await Promise.all([here, nodes.missing(wanted)])
    return missing.length === 0 ? { pending } : { pending: true, nodes: missing }
  }

  const publish: Publisher['publish'] = (wanted) =>
    line.run('', async () => {
      if (wanted > sent) await sendRest()
      return { acknowledged: everywhere(wanted, acknowledged) }
    })

  return {
    publish,
    ...(nodes !== null && { confirm: async () => (await publish(await reader.revision())).acknowledged }),
    async catchUp() {
      let caughtUp: typeof acknowledged | null = null
      const isRead = await line.run('', async () => {
        try {
          if ((await reader.revision()) > sent) await sendRest()
          // The threads had not confirmed in time: they do so with what follows
          else if (nodes !== null && held < sent)
            await sendDelta({ revision: sent, full: false, put: [], drop: [] })
          else return true
          caughtUp = acknowledged
          return true
        } catch (error) {
          // Health checks tell of it
          if (!(error instanceof StoreUnavailable)) throw error
          return false
        }
      })
      // After the turn: the next delta need not wait for the threads
      await caughtUp
      return isRead && held >= sent
    },
  }
}

// Checks fragments of large collections in an `apart` thread, because linking thousands of endpoints takes long.

/** Endpoints that the main thread links itself: a thread costs more than they do. */
const PROXIES_MAX = 500

/** {@link checkFragment} of a large collection. */
export const checkLarge: Job<CollectionFragment, FieldError[]> = {
  name: 'fragments.check',
  tooMuch: () =>
    refuse('configuration_invalid', {
      detail: 'The collection takes too long to compile. Split it into several smaller ones.',
    }),
  run: (fragment) => [...checkFragment(fragment)],
}

/** Judges a compiled fragment as gateway threads will. */
export type CheckFragment = (
  fragment: Fragment,
  apart: RunApart,
) => readonly FieldError[] | Promise<readonly FieldError[]>

/** What keeps a fragment from being served; see {@link checkFragment}. */
export const checkForChange: CheckFragment = async (fragment, apart) => {
  const isLarge = fragment.kind === 'collection' && fragment.proxies.length > PROXIES_MAX
  return isLarge ? apart(checkLarge, fragment) : checkFragment(fragment)
}
