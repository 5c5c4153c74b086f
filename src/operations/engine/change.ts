/**
 * Every write of a handler passes `Change`, which permits it resource by resource, before and after. Secrets it issues
 * are in `change-secrets.ts`, its diff in `diff.ts`, its audit entry in `trail.ts`. It shows each write to the
 * approval rules of the principal (`approval.ts`). An operation whose effect no rollback can undo calls `mustWait`
 * first.
 */
import type { Permission } from '../../access/principal.ts'
import { endStored, switchStored } from '../../access/stored-connections.ts'
import { type Clock, toTime } from '../../base/clock.ts'
import { newId } from '../../base/ids.ts'
import { canonicalJson } from '../../base/json/canonical.ts'
import { refuse } from '../../base/refusal.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import type { Status } from '../../model/members.ts'
import { inWords, NOUNS, type ResourceType } from '../../model/resource-types.ts'
import type { ConfigWriter, FragmentChanges } from '../../store/ports/config.ts'
import type { ConnectionFilter, StoredConnection } from '../../store/ports/connections.ts'
import type { OAuthWriter } from '../../store/ports/oauth.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { Vault } from '../../vault/vault.ts'
import type { RunApart } from './apart.ts'
import { type Gate, refuseNamed, type StoredSettings, writeStoredSettings } from './approval-rules.ts'
import { baseOfForetold, besides, type Foretold, type ShownChange, touchesOf } from './change-request.ts'
import { ChangeSecrets } from './change-secrets.ts'
import { boundedDiff, type Changed, type ChangedItem, diffOfAll, itemsOf, slugsOfChanges } from './diff.ts'
import { type CheckFragment, compileChanges, compileResealed, toStored } from './fragments.ts'
import { keepNames } from './kept-names.ts'
import type { KindSchema } from './kind-schema.ts'
import { type Placed, type ScopedAccess, toMake, touchedBy } from './permission.ts'
import { getRef, idsOf } from './refs.ts'
import { type Review, reviewOf } from './review.ts'
import type { DiffEntry, WriteOptions } from './write-options.ts'

export interface ChangeDeps {
  readonly writer: ConfigWriter
  /** What the principal may see, and may do. */
  readonly access: Pick<ScopedAccess, 'reader' | 'demand' | 'reach' | 'refuseGain'>
  /** Of the operation, for the resource that it is about. */
  readonly permission: Permission
  readonly vault: Vault
  readonly clock: Clock
  readonly options: WriteOptions
  /** Who changes it, as resources name it. */
  readonly author: string
  readonly kindOf: (type: ResourceType) => KindSchema
  /** Judges a fragment as gateway threads will; what it finds refuses the change. */
  readonly check: CheckFragment
  /** Inside of the transaction. */
  readonly apart: RunApart
  /** Has writes wait for approval; null where none does. */
  readonly gate: Gate | null
  /** What it carries out, where that has been approved. */
  readonly approved: { readonly base: string } | undefined
}

/** Connections that are removed at once. */
const CONNECTIONS_AT_ONCE = 1000

/** What a finished change did. */
export interface ChangeOutcome {
  readonly diff: readonly DiffEntry[]
  /** All of it with whole values, where it has to wait or has waited; else null. */
  readonly review: Review | null
  /** What was changed of each resource, where each has an entry of its own in the trail. */
  readonly items: readonly ChangedItem[]
  /** What was deleted with the subject, below which it was. */
  readonly gone: readonly ChangedItem[]
  /** What it changes for the gateway threads; null without a revision. */
  readonly fragments: Pick<FragmentChanges, 'put' | 'drop'> | null
  readonly revision: number | null
}

/**
 * One change of the configuration, inside of its transaction.
 * 1. Every write goes through it, so that diff, revisions and fragments cannot miss one.
 * 2. A resource counts one revision for all writes of one change, and none when nothing differs.
 * 3. Nothing is written that the principal may not write: the resource that the operation is about needs the
 *    permission of the operation before and after, what is made, changed or removed beside it that for doing so. And
 *    nothing is written by which the principal could do more to it than before.
 */
export class Change {
  readonly writer: ConfigWriter
  /** Grants that end with the change. */
  readonly endedGrants: string[] = []
  /** Accounts at origins that end with the change. */
  readonly endedConnections: StoredConnection[] = []
  /** Ids under which accounts at origins are known no longer, since they were switched. */
  readonly switchedConnections: string[] = []
  /** What came of an operation, as a sentence for its entry in the trail. */
  finding: string | undefined
  /** Set for a change of many resources: each gets an entry of its own in the trail, tied by this. */
  planId: string | undefined
  /** What owns all that is made or changed from now on. */
  owner: string | undefined
  readonly #deps: ChangeDeps
  #secrets: ChangeSecrets | undefined
  readonly #changed = new Map<string, Changed>()
  /** Changes that are none of a resource. */
  readonly #beside: DiffEntry[] = []
  readonly #unrevised: DiffEntry[] = []
  /** Things that are no resources, of which a handler has asked whether it must wait. */
  readonly #waited: Foretold[] = []
  /** Resources that are not written and lose something to what is. */
  readonly #takenFrom: Resource[] = []
  readonly #afterwards: (() => Fields | Promise<Fields>)[] = []
  /** Resources whose fragments are compiled anew although nothing of them was written, by id. */
  readonly #touched = new Map<string, Resource>()
  #settings: StoredSettings | undefined
  #givenId: string | null = null
  #subject: Resource | undefined
  #created = false
  /** What was carried out in this transaction of what somebody else had asked for. */
  carried: { readonly revision: number | null } | undefined

  constructor(deps: ChangeDeps) {
    this.#deps = deps
    this.writer = deps.writer
  }

  /** Ends everything that was issued for an account, once the change commits. */
  async endSignIns(account: string): Promise<void> {
    const oauth = await this.writer.joinOAuth()
    this.endedGrants.push(...(await oauth.removeOfAccount(account, this.#deps.clock.now())))
    await this.#endConnections(oauth, { user: account })
  }

  /** Ends the accounts of all people at an origin, once the change commits. */
  async endConnections(origin: string): Promise<void> {
    await this.#endConnections(await this.writer.joinOAuth(), { origin })
  }

  /** Ends one account at an origin, once the change commits. False where there is none. */
  async endConnection(user: string, origin: string): Promise<boolean> {
    const { connections } = await this.writer.joinOAuth()
    const found = await endStored(connections, user, origin, this.#deps.clock)
    if (found === undefined) return false
    this.endedConnections.push(found)
    return true
  }

  /** Switches one account at an origin off or on, once the change commits; undefined where there is none. */
  async switchConnection(
    user: string,
    origin: string,
    active: boolean,
  ): Promise<StoredConnection | undefined> {
    const { connections } = await this.writer.joinOAuth()
    const switched = await switchStored(connections, user, origin, active, this.#deps.clock)
    if (switched === undefined) return undefined
    const { before, after } = switched
    if (after !== before) this.switchedConnections.push(before.id)
    return after
  }

  async #endConnections({ connections }: OAuthWriter, filter: ConnectionFilter): Promise<void> {
    for (;;) {
      const found = await connections.list(filter, CONNECTIONS_AT_ONCE)
      for (const { user, origin } of found) await connections.remove(user, origin, this.#deps.clock.now())
      this.endedConnections.push(...found)
      if (found.length < CONNECTIONS_AT_ONCE) return
    }
  }

  get secrets(): ChangeSecrets {
    const { writer, vault, clock, options } = this.#deps
    this.#secrets ??= new ChangeSecrets({
      writer,
      vault,
      clock,
      isDryRun: options.dryRun === true,
      note: (resource, entry) => this.note(resource, entry),
      noteBeside: (entry) => this.noteBeside(entry),
      tell: (entry) => this.tell(entry),
    })
    return this.#secrets
  }

  /** A secret was made that is shown only in this answer. */
  get isRevealing(): boolean {
    return this.#secrets?.revealed === true
  }

  /** The resource that the operation is about, as it stands now or stood last. */
  get subject(): Resource | undefined {
    if (this.#subject === undefined) return undefined
    const changed = this.#changed.get(this.#subject.id)
    return changed?.after ?? changed?.before ?? this.#subject
  }

  /** Revision of the subject before and after; null where it did not or does not exist. */
  get revisions(): { before: number | null; after: number | null } {
    const changed = this.#subject && this.#changed.get(this.#subject.id)
    if (changed === undefined)
      return { before: this.#subject?.revision ?? null, after: this.#subject?.revision ?? null }
    return { before: changed.before?.revision ?? null, after: changed.after?.revision ?? null }
  }

  /** The subject is new. */
  get created(): boolean {
    return this.#created
  }

  /** Other resources that it touched: as they stood, and whether they are gone. */
  get others(): readonly { readonly was: Resource; readonly isGone: boolean }[] {
    return this.changes.flatMap(({ before, after }) =>
      before === null || before.id === this.#subject?.id ? [] : [{ was: before, isGone: after === null }],
    )
  }

  /** Types of what it touched. */
  get types(): ReadonlySet<ResourceType> {
    return new Set(this.changes.map(({ kind }) => kind.type))
  }

  /** What it did to each resource that it touched. */
  get changes(): readonly Changed[] {
    return [...this.#changed.values()]
  }

  /**
   * Finds the resource that is acted on; refuses with not_found, permission_denied, or revision_conflict when it has
   * moved on.
   */
  async act<T extends ResourceType>(type: T, ref: string): Promise<Resource<T>> {
    return this.actOn(await getRef(this.#deps.access.reader, type, ref))
  }

  /** As {@link act}, for a resource that was found already. */
  async actOn<One extends Resource>(resource: One): Promise<One> {
    await this.#deps.access.reach(this.#deps.permission, resource)
    const expected = this.#deps.options.expectedRevision
    if (expected !== undefined && expected !== resource.revision)
      throw refuse('revision_conflict', {
        detail: `${inWords(NOUNS[resource.type])} "${resource.slug}" is at revision ${resource.revision}, not ${expected}.`,
        members: { revision: resource.revision },
      })
    this.#subject = resource
    return resource
  }

  /** Refuses unless the caller confirmed by the slug of the resource. */
  confirmed(resource: Resource): void {
    const { confirm } = this.#deps.options
    const below = resource.parent !== null && confirm?.endsWith(`:${resource.slug}`) === true
    if (confirm === resource.slug || confirm === resource.id || below) return
    throw refuse('confirmation_required', {
      detail: `This cannot be undone. Send confirm: "${resource.slug}".`,
      errors: [{ pointer: '/confirm', reason: `must be "${resource.slug}"` }],
      members: { confirm: resource.slug },
    })
  }

  /**
   * For a handler before it does what no rollback undoes: true when that has to wait for another person, so that it
   * foretells what it would do, as in a dry run; also where something else has been approved.
   * @param of what the call alone does not tell, such as whom it means by their slug
   */
  mustWait(type: Foretold['type'], of: unknown = null): boolean {
    const { gate, approved } = this.#deps
    const isHeld = gate !== null && gate.met.size > 0
    const waits = approved === undefined ? isHeld : approved.base !== baseOfForetold([{ type, of }])
    if (waits) this.#waited.push({ type, of })
    return waits
  }

  /** Has the rules for approval look at a write; those of resources are looked at anyway. */
  async judge(permission: Permission, ...placed: readonly Placed[]): Promise<void> {
    const { gate } = this.#deps
    if (gate === null) return
    for (const one of placed) gate.judge(permission, await touchedBy(one, this.writer))
  }

  /** Takes something from a resource that is not written: that is an update of it, to the rules and for those who approve. */
  async takesFrom(other: Resource): Promise<void> {
    await this.judge(`${other.type}:update`, other)
    this.#takenFrom.push(other)
  }

  /** What was done, as a request to do it shows it. Goes by what {@link finish} found. */
  shown({ diff, review }: ChangeOutcome): ShownChange {
    return {
      rules: [...(this.#deps.gate?.met ?? [])],
      diff: review?.diff ?? diff,
      isWhole: review?.isWhole ?? true,
      touches: [
        ...touchesOf(this.changes),
        ...touchesOf(this.#takenFrom.map((other) => ({ before: other, after: other }))),
        ...this.#waited.map(({ type }) => besides(type, null)),
        ...(this.#settings === undefined ? [] : [besides('settings', this.#settings.revision - 1)]),
      ],
      stored: [
        ...this.changes.map(({ after }) => after && [after.slug, after.spec, after.draft]),
        ...(this.#settings === undefined ? [] : [this.#settings.approvals, this.#settings.new_hosts ?? null]),
      ],
      foretold: this.#waited,
      isRevealing: this.isRevealing,
    }
  }

  /** Stores settings in the place of those before. */
  async putSettings(settings: StoredSettings): Promise<void> {
    await writeStoredSettings(this.writer, settings)
    this.#settings = settings
  }

  newId(kind: KindSchema): string {
    const given = this.#givenId
    this.#givenId = null
    return given ?? newId(kind.prefix, this.#deps.clock)
  }

  /** The next new resource gets this id, by which others know it already. */
  giveId(id: string): void {
    this.#givenId = id
  }

  /** Stores a new resource. `subject` when the operation is about it. */
  async insert(
    kind: KindSchema,
    made: { id: string; slug: string; parent: string | null; spec: Fields },
    subject: boolean,
  ): Promise<Resource> {
    const now = toTime(this.#deps.clock.now())
    const resource: Resource = {
      ...made,
      type: kind.type,
      ...columnsOf(kind, made.spec),
      revision: 1,
      draft: null,
      created_at: now,
      created_by: this.#deps.author,
      updated_at: now,
      updated_by: this.#deps.author,
      managed_by: this.owner ?? null,
    }
    await this.#deps.access.demand(`${kind.type}:create`, toMake(resource))
    await this.judge(`${kind.type}:create`, toMake(resource), resource)
    await this.#judgePublishing(null, resource)
    await this.writer.insert(resource)
    await this.writer.link(resource.id, idsOf(kind, resource.spec))
    this.#changed.set(resource.id, { kind, before: null, after: resource, notes: [] })
    if (subject) {
      this.#subject = resource
      this.#created = true
    }
    return resource
  }

  /** Stores new fields of a resource; the same fields store nothing. */
  async replace<One extends Resource>(
    resource: One,
    next: { spec?: Fields; draft?: Fields | null; slug?: string },
  ): Promise<One> {
    const kind = this.#deps.kindOf(resource.type)
    const { slug, spec, draft, managed_by } = resource
    const wanted = { slug, spec, draft, managed_by: this.owner ?? managed_by, ...next }
    const same = canonicalJson(wanted) === canonicalJson({ slug, spec, draft, managed_by })
    return same ? resource : this.#store(kind, { ...resource, ...wanted, ...columnsOf(kind, wanted.spec) })
  }

  /** Counts a revision of a resource for a change beside its fields; `note` describes it in the diff. */
  async note<One extends Resource>(resource: One, note: DiffEntry): Promise<One> {
    const stored = await this.#store(this.#deps.kindOf(resource.type), resource)
    const changed = this.#changed.get(resource.id)!
    this.#changed.set(resource.id, { ...changed, notes: [...changed.notes, note] })
    return stored
  }

  async #store<One extends Resource>(kind: KindSchema, wanted: One): Promise<One> {
    const changed = this.#changed.get(wanted.id)
    const before = changed === undefined ? await this.writer.byId(wanted.type, wanted.id) : changed.before
    const after: One = {
      ...wanted,
      revision: (before?.revision ?? 0) + 1,
      updated_at: toTime(this.#deps.clock.now()),
      updated_by: this.#deps.author,
    }
    await this.#judgePublishing(before ?? null, after)
    if (!this.#isMade(after)) {
      await this.judge(this.#needed(after), after, ...(before == null ? [] : [before]))
      if (before != null && this.#deps.gate !== null)
        this.#deps.gate.judgeMove(
          after.type,
          await touchedBy(before, this.writer),
          await touchedBy(after, this.writer),
        )
      await this.#deps.access.demand(this.#needed(after), after)
      if (before != null) await this.#deps.access.refuseGain(before, after)
    }
    await this.writer.replace(after)
    await this.writer.link(after.id, [
      ...idsOf(kind, after.spec),
      ...(after.draft === null ? [] : idsOf(kind, after.draft)),
    ])
    this.#changed.set(after.id, { kind, before: before ?? null, after, notes: changed?.notes ?? [] })
    return after
  }

  /** Whatever makes it live publishes it. */
  async #judgePublishing(before: Resource | null, after: Resource): Promise<void> {
    const isLive = after.status === 'published'
    if (isLive && (before?.status !== 'published' || (before.draft !== null && after.draft === null)))
      await this.judge(`${after.type}:publish`, after)
  }

  #isMade({ id }: Resource): boolean {
    return this.#changed.get(id)?.before === null
  }

  /** To change a resource. */
  #needed({ id, type }: Resource): Permission {
    const { permission } = this.#deps
    if (id === this.#subject?.id) return permission
    return permission.endsWith(':publish') ? `${type}:publish` : `${type}:update`
  }

  /** Forgets a resource. What lies below it or refers to it must be gone or detached before. */
  async remove(resource: Resource): Promise<void> {
    const kind = this.#deps.kindOf(resource.type)
    const changed = this.#changed.get(resource.id)
    if (resource.id !== this.#subject?.id) await this.#deps.access.demand(`${resource.type}:delete`, resource)
    await refuseNamed(resource, this.writer)
    await this.judge(`${resource.type}:delete`, resource)
    await this.writer.remove(resource.id)
    this.#changed.set(resource.id, {
      kind,
      before: changed === undefined ? resource : changed.before,
      after: null,
      notes: changed?.notes ?? [],
    })
  }

  /**
   * Compiles the fragments of a resource anew, which are made of what this change does to another one. It counts no revision, and needs no
   * permission for the resource itself.
   */
  touch(resource: Resource): void {
    this.#touched.set(resource.id, resource)
  }

  /** Describes a change that is none of a resource, for the diff. */
  noteBeside(entry: DiffEntry): void {
    this.#beside.push(entry)
  }

  /** Describes in the diff what changes no configuration, and so counts no revision. */
  tell(entry: DiffEntry): void {
    this.#unrevised.push(entry)
  }

  /**
   * Work for when the change is committed and every thread holds it; never done for a dry run. The members that it
   * gives take the place of those in the answer, which until then says that it is still to be done.
   */
  afterwards(work: () => Fields | Promise<Fields>): void {
    this.#afterwards.push(work)
  }

  /** Does that work, and gives its members. */
  async settle(): Promise<Fields> {
    const settled: Fields[] = []
    for (const work of this.#afterwards) settled.push(await work())
    return Object.assign({}, ...settled)
  }

  /** Resources that were deleted because what they belong to was. */
  #goneWith(): readonly Changed[] {
    const parent = this.#subject?.id
    const isDeleted = this.changes.some(({ before, after }) => before?.id === parent && after === null)
    return isDeleted
      ? this.changes.filter(({ before, after }) => before !== null && before.id !== parent && after === null)
      : []
  }

  /** Counts the configuration's revision, compiles what is touched, and says what changed. Refuses what does not work. */
  async finish(): Promise<ChangeOutcome> {
    const { changes, writer } = this
    const isMany = this.planId !== undefined
    const slugs = await slugsOfChanges(writer, changes, isMany)
    const items = isMany ? await itemsOf(changes, slugs) : []
    // What is gone with its parent has an entry too, beside its part in that of the parent
    const gone = isMany ? [] : await itemsOf(this.#goneWith(), await slugsOfChanges(writer, changes, true))
    // Of many resources, each entry has its own part
    const isShown = !isMany || this.#deps.options.dryRun === true
    const isHeld = this.#deps.approved !== undefined || (this.#deps.gate?.met.size ?? 0) > 0
    const resources = isShown || isHeld ? await diffOfAll(changes, slugs, this.#subject?.id) : []
    // Each of these takes long by itself for thousands of resources
    await yieldThread(0)
    const all = [...this.#unrevised, ...this.#beside, ...resources]
    const review = isHeld ? reviewOf(all) : null
    const configured = [...this.#beside, ...(isShown ? resources : [])]
    const diff = boundedDiff(isShown ? all : [...this.#unrevised, ...configured])
    await yieldThread(0)
    if (items.length + configured.length === 0)
      return { diff, review, items, gone, fragments: null, revision: null }
    const revision = await writer.nextRevision()
    const touched = [...this.#touched.values()].filter(({ id }) => !this.#changed.has(id))
    const compiled = [...changes, ...touched.map((after) => ({ before: null, after }))]
    const { check, apart } = this.#deps
    const { put, drop } = await compileChanges(writer, compiled, (fragment) => check(fragment, apart))
    await keepNames(writer, put)
    const resealed = await compileResealed(writer, this.#secrets?.resealed ?? [])
    return {
      diff,
      review,
      items,
      gone,
      revision,
      fragments: await toStored([...put, ...resealed], drop),
    }
  }
}

function columnsOf(
  kind: KindSchema,
  spec: Fields,
): { name: string; status: Status | null; key: string | null } {
  return {
    // The exact schema of the kind has judged these members.
    name: String(spec['name']),
    status: (spec['status'] as Status | undefined) ?? null,
    key: kind.keyOf?.(spec) ?? null,
  }
}
