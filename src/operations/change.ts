import type { Permission } from '../access/principal.ts'
import { CLIENT_SECRET } from '../access/service-clients.ts'
import { AUDIENCE } from '../access/tokens.ts'

import { canonicalJson } from '../base/canonical.ts'
import { type Clock, toTime } from '../base/clock.ts'
import { newId } from '../base/ids.ts'
import { type FieldError, refuse } from '../base/refusal.ts'
import { Secret } from '../base/secret.ts'
import { hashToken, mintClientSecret, mintLookup, mintSigningSecret, mintToken } from '../base/token.ts'
import { inWords, NOUNS, RESOURCE_TYPES, type ResourceType, type Status } from '../model/common.ts'
import type { Fragment, FragmentKey, SnapshotDelta } from '../snapshot/fragments.ts'
import type { RequestTouch } from '../store/ports/change-requests.ts'
import {
  type ConfigWriter,
  type Fields,
  isSigningSecret,
  type Resource,
  type StoredPersonalToken,
  type StoredToken,
} from '../store/ports/config.ts'
import type { RevisionImage } from '../store/ports/revisions.ts'
import { type Resealed, resealSecrets } from '../vault/reseal.ts'
import type { Vault } from '../vault/vault.ts'
import { type Gate, refuseNamed } from './approvals/gate.ts'
import type { Held } from './approvals/request.ts'
import { type StoredSettings, writeSettings } from './approvals/stored-settings.ts'
import { breathe } from './breathe.ts'
import type { DiffEntry, WriteOptions } from './define.ts'
import { boundedDiff, diffOf } from './diff.ts'
import { compileOrClose, compileRoot, rootOf, toDelta, unusedSchemas } from './fragments.ts'
import type { Kind } from './kind.ts'
import { getRef, idsOf } from './refs.ts'
import { type Placed, type Sight, toMake, touchedBy } from './sight.ts'
import { readable, referred } from './views.ts'

interface Changed {
  readonly kind: Kind
  readonly before: Resource | null
  after: Resource | null
  /** Changes beside the spec, such as of secrets. */
  readonly notes: DiffEntry[]
}

interface ChangedItem {
  readonly resource: Resource
  /** Slug of the collection that it is or belongs to. */
  readonly collection: string | null
  readonly diff: readonly DiffEntry[]
  readonly before: number | null
  readonly after: number | null
}

export interface ChangeDeps {
  readonly writer: ConfigWriter
  /** What the principal may see, and may do. */
  readonly sight: Pick<Sight, 'reader' | 'demand' | 'reach' | 'refuseGain'>
  /** Of the operation, for the resource that it is about. */
  readonly permission: Permission
  readonly vault: Vault
  readonly clock: Clock
  readonly options: WriteOptions
  /** Who changes it, as resources name it. */
  readonly author: string
  readonly kindOf: (type: ResourceType) => Kind
  /** Judges a fragment as gateway threads will; what it finds refuses the change. */
  readonly check: (fragment: Fragment) => readonly FieldError[]
  /** Has writes wait for approval; null where none does. */
  readonly gate: Gate | null
  /** True when what would wait has been approved. */
  readonly isApproved: boolean
}

/** What a finished change did. */
export interface ChangeOutcome {
  readonly diff: readonly DiffEntry[]
  /** With what is in entries of their own, where it has to wait or has waited; else as `diff`. */
  readonly whole: readonly DiffEntry[]
  /** What was changed of each resource, where each has an entry of its own in the trail. */
  readonly items: readonly ChangedItem[]
  readonly delta: SnapshotDelta | null
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
  /** What came of an operation, as a sentence for its entry in the trail. */
  finding: string | undefined
  /** Set for a change of many resources: each gets an entry of its own in the trail, tied by this. */
  planId: string | undefined
  /** What owns all that is made or changed from now on. */
  owner: string | undefined
  readonly #deps: ChangeDeps
  readonly #changed = new Map<string, Changed>()
  /** Changes that are none of a resource. */
  readonly #beside: DiffEntry[] = []
  readonly #told: DiffEntry[] = []
  /** Owners of secrets that were only sealed anew: they count no revision. */
  readonly #resealed: string[] = []
  /** Things that are no resources, of which a handler has asked whether it must wait. */
  readonly #waited: string[] = []
  readonly #afterwards: (() => Fields)[] = []
  #settings: StoredSettings | undefined
  #subject: Resource | undefined
  #created = false
  #revealed = false
  /** What was carried out in this transaction of what somebody else had asked for. */
  carried: { readonly delta: SnapshotDelta | null; readonly revision: number | null } | undefined

  constructor(deps: ChangeDeps) {
    this.#deps = deps
    this.writer = deps.writer
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
    return [...this.#changed.values()].flatMap(({ before, after }) =>
      before === null || before.id === this.#subject?.id ? [] : [{ was: before, isGone: after === null }],
    )
  }

  /** Types of what it touched. */
  get types(): ReadonlySet<ResourceType> {
    return new Set([...this.#changed.values()].map(({ kind }) => kind.type))
  }

  /** Ids of users who were active and are no more. */
  get ended(): readonly string[] {
    return [...this.#changed.values()].flatMap(({ kind, before, after }) =>
      kind.type === 'users' && before?.spec['active'] === true && after?.spec['active'] !== true
        ? [before.id]
        : [],
    )
  }

  /** Everything that it touched, as it was before. */
  get images(): readonly RevisionImage[] {
    return [...this.#changed.values()].flatMap(({ before, after }): RevisionImage[] => {
      const one = after ?? before
      if (one === null) return []
      const { id, type, slug, parent } = one
      const action =
        before === null
          ? 'created'
          : after === null
            ? 'removed'
            : canonicalJson(fieldsOf(before)) === canonicalJson(fieldsOf(after))
              ? 'secrets'
              : 'changed'
      // Who may administer is not gone back to
      const isKept = action !== 'secrets' && RESOURCE_TYPES.some((served) => served === type)
      return [{ id, type, slug, parent, action, before: isKept ? before : null }]
    })
  }

  /** A secret was made that is shown only in this answer. */
  get revealed(): boolean {
    return this.#revealed
  }

  /**
   * Finds the resource that is acted on; refuses with not_found, permission_denied, or revision_conflict when it has
   * moved on.
   */
  async act(type: ResourceType, ref: string): Promise<Resource> {
    return this.actOn(await getRef(this.#deps.sight.reader, type, ref))
  }

  /** As {@link act}, for a resource that was found already. */
  async actOn(resource: Resource): Promise<Resource> {
    await this.#deps.sight.reach(this.#deps.permission, resource)
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
   * foretells what it would do, as in a dry run. `what` is a type of what is no resource.
   */
  mustWait(what: 'keys' | 'records'): boolean {
    const { gate, isApproved } = this.#deps
    if (gate === null || gate.met.size === 0 || isApproved) return false
    this.#waited.push(what)
    return true
  }

  /** Has the rules for approval look at a write; those of resources are looked at anyway. */
  async judge(permission: Permission, ...placed: readonly Placed[]): Promise<void> {
    const { gate } = this.#deps
    if (gate === null) return
    for (const one of placed) gate.judge(permission, await touchedBy(one, this.writer))
  }

  /** What was done, as a request to do it says it. Goes by what {@link finish} found. */
  facts({ whole }: ChangeOutcome): Held {
    const touches = [...this.#changed.values()].map(({ before, after }): RequestTouch => {
      const { type, id, slug, parent, spec } = (before ?? after)!
      // What is about to be made is judged by what it belongs to
      const tags = (before === null && parent !== null ? [] : (spec['tags'] ?? [])) as readonly string[]
      return { type, id, slug, parent, tags, revision: before?.revision ?? null }
    })
    const beside = (type: string, revision: number | null): RequestTouch => ({
      type,
      id: null,
      slug: null,
      parent: null,
      tags: [],
      revision,
    })
    return {
      rules: [...(this.#deps.gate?.met ?? [])],
      diff: whole,
      touches: [
        ...touches,
        ...this.#waited.map((type) => beside(type, null)),
        ...(this.#settings === undefined ? [] : [beside('settings', this.#settings.revision - 1)]),
      ],
      isForetold: this.#waited.length > 0,
      isRevealing: this.#revealed,
    }
  }

  /** Stores settings in the place of those before. */
  async putSettings(settings: StoredSettings): Promise<void> {
    await writeSettings(this.writer, settings)
    this.#settings = settings
  }

  newId(kind: Kind): string {
    return newId(kind.prefix, this.#deps.clock)
  }

  /** Stores a new resource. `subject` when the operation is about it. */
  async insert(
    kind: Kind,
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
    await this.#deps.sight.demand(`${kind.type}:create`, toMake(resource))
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
  async replace(
    resource: Resource,
    next: { spec?: Fields; draft?: Fields | null; slug?: string },
  ): Promise<Resource> {
    const kind = this.#deps.kindOf(resource.type)
    const { slug, spec, draft, managed_by } = resource
    const wanted = { slug, spec, draft, managed_by: this.owner ?? managed_by, ...next }
    const same = canonicalJson(wanted) === canonicalJson({ slug, spec, draft, managed_by })
    return same ? resource : this.#store(kind, { ...resource, ...wanted, ...columnsOf(kind, wanted.spec) })
  }

  /** Counts a revision of a resource for a change beside its fields; `note` describes it in the diff. */
  async note(resource: Resource, note: DiffEntry): Promise<Resource> {
    const stored = await this.#store(this.#deps.kindOf(resource.type), resource)
    this.#changed.get(resource.id)!.notes.push(note)
    return stored
  }

  async #store(kind: Kind, wanted: Resource): Promise<Resource> {
    const changed = this.#changed.get(wanted.id)
    const before = changed === undefined ? await this.writer.byId(wanted.type, wanted.id) : changed.before
    const after: Resource = {
      ...wanted,
      revision: (before?.revision ?? 0) + 1,
      updated_at: toTime(this.#deps.clock.now()),
      updated_by: this.#deps.author,
    }
    await this.#judgePublishing(before ?? null, after)
    if (!this.#isMade(after)) {
      await this.judge(this.#needed(after), after, ...(before == null ? [] : [before]))
      if (before != null && this.#deps.gate !== null)
        this.#deps.gate.judgeMove(await touchedBy(before, this.writer), await touchedBy(after, this.writer))
      await this.#deps.sight.demand(this.#needed(after), after)
      if (before != null) await this.#deps.sight.refuseGain(before, after)
    }
    await this.writer.replace(after)
    await this.writer.link(after.id, [
      ...idsOf(kind, after.spec),
      ...(after.draft === null ? [] : idsOf(kind, after.draft)),
    ])
    if (changed === undefined) this.#changed.set(after.id, { kind, before: before ?? null, after, notes: [] })
    else changed.after = after
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
    if (resource.id !== this.#subject?.id) await this.#deps.sight.demand(`${resource.type}:delete`, resource)
    await refuseNamed(resource, this.writer)
    await this.judge(`${resource.type}:delete`, resource)
    await this.writer.remove(resource.id)
    if (changed === undefined)
      this.#changed.set(resource.id, { kind, before: resource, after: null, notes: [] })
    else changed.after = null
  }

  /** Seals a secret field of a resource that was just stored. */
  async setSecret(
    resource: Resource,
    field: string,
    text: string,
    hint: 'last4' | 'none' = 'last4',
  ): Promise<void> {
    const secret = new Secret(text)
    const known = (await this.writer.secretsOf([resource.id])).some((one) => one.field === field)
    await this.writer.putSecret({
      owner: resource.id,
      field,
      sealed: this.#deps.vault.seal(secret, resource.id, field),
      // Four characters of a short secret would give too much of it away.
      last4: hint === 'last4' && text.length >= 16 ? text.slice(-4) : null,
      updated_at: toTime(this.#deps.clock.now()),
    })
    if (known) await this.judge(`${resource.type}:rotate`, resource)
    await this.note(resource, { op: known ? 'replace' : 'add', path: `/auth/${field}`, value: 'changed' })
  }

  /** Opens a sealed secret field; undefined when there is none. */
  async openSecret(resource: Resource, field: string): Promise<string | undefined> {
    const stored = (await this.writer.secretsOf([resource.id])).find((one) => one.field === field)
    return stored && this.#deps.vault.open(stored.sealed, resource.id, field).reveal()
  }

  /** Issues a token of a profile. Of a dry run there is none to show. */
  async issueToken(
    profile: Resource,
    expiresAt: number | null,
  ): Promise<{ id: string; token: string | undefined }> {
    const { token, lookup, hash } = mintToken('pk')
    const id = newId('key', this.#deps.clock)
    const now = this.#deps.clock.now()
    await this.writer.putToken({
      id,
      profile: profile.id,
      lookup,
      hash,
      created_at: now,
      expires_at: expiresAt,
      retires_at: null,
      revoked_at: null,
    })
    await this.note(profile, { op: 'add', path: `/tokens/${id}`, value: 'changed' })
    if (this.#deps.options.dryRun === true) return { id, token: undefined }
    this.#revealed = true
    return { id, token }
  }

  /** Makes a link by which a local user chooses a password. Of a dry run there is none to show. */
  async issueSetUpLink(user: Resource, expiresAt: number): Promise<string | undefined> {
    const { token, hash } = mintToken('su')
    const link = { hash, user: user.id, purpose: 'invite', expires_at: expiresAt } as const
    await this.writer.putSetUpLink(link, this.#deps.clock.now())
    await this.note(user, { op: 'add', path: '/set_up_link', value: 'changed' })
    if (this.#deps.options.dryRun === true) return undefined
    this.#revealed = true
    return token
  }

  /** Makes the secret of a service identity, of which the hash is kept. Of a dry run there is none to show. */
  async issueClientSecret(identity: Resource): Promise<string | undefined> {
    const text = mintClientSecret()
    await this.setSecret(identity, CLIENT_SECRET, hashToken(text), 'none')
    if (this.#deps.options.dryRun === true) return undefined
    this.#revealed = true
    return text
  }

  /** Makes a secret that callers of a profile sign with. Of a dry run there is none to show. */
  async issueSigningSecret(
    profile: Resource,
  ): Promise<{ id: string; kid: string; secret: string | undefined }> {
    const text = mintSigningSecret()
    const id = newId('sec', this.#deps.clock)
    const kid = mintLookup()
    const now = this.#deps.clock.now()
    await this.writer.putToken({
      id,
      profile: profile.id,
      lookup: kid,
      hash: hashToken(text),
      created_at: now,
      expires_at: null,
      retires_at: null,
      revoked_at: null,
    })
    await this.writer.putSecret({
      owner: profile.id,
      field: id,
      sealed: this.#deps.vault.seal(new Secret(text), profile.id, id),
      last4: null,
      updated_at: toTime(now),
    })
    await this.note(profile, { op: 'add', path: `/secrets/${id}`, value: 'changed' })
    if (this.#deps.options.dryRun === true) return { id, kid, secret: undefined }
    this.#revealed = true
    return { id, kid, secret: text }
  }

  /** Issues a token of a user. Of a dry run there is none to show. */
  async issuePersonalToken(
    made: Pick<StoredPersonalToken, 'name' | 'owner' | 'grants' | 'expires_at'>,
  ): Promise<{ stored: StoredPersonalToken; token: string | undefined }> {
    const { token, lookup, hash } = mintToken('pt')
    const stored: StoredPersonalToken = {
      ...made,
      id: newId('tok', this.#deps.clock),
      lookup,
      hash,
      audience: AUDIENCE,
      method: 'personal_token',
      created_at: this.#deps.clock.now(),
      revoked_at: null,
      last_used_at: null,
    }
    await this.writer.putAccessToken(stored)
    this.tell({ op: 'add', path: '/token', value: 'changed' })
    if (this.#deps.options.dryRun === true) return { stored, token: undefined }
    this.#revealed = true
    return { stored, token }
  }

  /** Stores a changed state of an issued token; `what` names the change in the diff. */
  async putToken(profile: Resource, token: StoredToken, what: 'retires_at' | 'revoked_at'): Promise<void> {
    await this.writer.putToken(token)
    if (token.revoked_at !== null) await this.writer.removeSecret(profile.id, token.id)
    const at = token[what]
    await this.note(profile, {
      op: 'replace',
      path: `/${isSigningSecret(token) ? 'secrets' : 'tokens'}/${token.id}/${what}`,
      value: at === null ? null : toTime(at),
    })
  }

  /** Seals every secret with the first key of the vault. */
  async resealSecrets(): Promise<Resealed> {
    const resealed = await resealSecrets(this.writer, this.#deps.vault)
    this.#resealed.push(...resealed.owners)
    this.#beside.push({ op: 'replace', path: '/secrets', value: resealed.count })
    return resealed
  }

  /** Has the authorization server make new keys; those before still prove what they have signed, for a day. */
  async retireOAuthKeys(): Promise<void> {
    const { oauth } = this.writer
    const current = (await oauth.keys()).filter(({ retired_at }) => retired_at === null)
    for (const key of current) await oauth.putKey({ ...key, retired_at: this.#deps.clock.now() })
    if (current.length > 0) this.#beside.push({ op: 'replace', path: '/oauth_keys', value: 'changed' })
  }

  /** Describes a change that is none of a resource, for the diff. */
  noteBeside(entry: DiffEntry): void {
    this.#beside.push(entry)
  }

  /** Describes in the diff what changes no configuration, and so counts no revision. */
  tell(entry: DiffEntry): void {
    this.#told.push(entry)
  }

  /**
   * Work for when the change is committed and every thread holds it; never done for a dry run. The members that it
   * gives take the place of those in the answer, which until then says that it is still to be done.
   */
  afterwards(work: () => Fields): void {
    this.#afterwards.push(work)
  }

  /** Does that work, and gives its members. */
  settle(): Fields {
    return Object.assign({}, ...this.#afterwards.map((work) => work()))
  }

  /** Counts the configuration's revision, compiles what is touched, and says what changed. Refuses what does not work. */
  async finish(): Promise<ChangeOutcome> {
    const changes = [...this.#changed.values()]
    const slugs = await this.#slugs(changes)
    const isMany = this.planId !== undefined
    const items = isMany ? await this.#items(changes, slugs) : []
    // Of many resources, each entry has its own part
    const isShown = !isMany || this.#deps.options.dryRun === true
    const isHeld = this.#deps.isApproved || (this.#deps.gate?.met.size ?? 0) > 0
    const resources = isShown || isHeld ? await this.#diff(changes, slugs) : []
    const whole = boundedDiff([...this.#told, ...this.#beside, ...resources])
    const configured = [...this.#beside, ...(isShown ? resources : [])]
    const diff = isShown ? whole : boundedDiff([...this.#told, ...configured])
    if (items.length + configured.length === 0) return { diff, whole, items, delta: null, revision: null }
    const revision = await this.writer.nextRevision()
    return { diff, whole, items, revision, delta: await this.#compile(changes, revision) }
  }

  async #items(changes: readonly Changed[], slugs: ReadonlyMap<string, string>): Promise<ChangedItem[]> {
    const items: ChangedItem[] = []
    for (const changed of changes) {
      const { before, after } = changed
      const resource = (after ?? before)!
      const diff = boundedDiff(await this.#diffOf(changed, slugs, []))
      if (diff.length === 0) continue
      const { type, id, parent } = resource
      const collection = type === 'collections' ? id : type === 'proxies' ? parent : null
      items.push({
        resource,
        collection: collection === null ? null : (slugs.get(collection) ?? null),
        diff,
        before: before?.revision ?? null,
        after: after?.revision ?? null,
      })
      await breathe(items.length)
    }
    return items
  }

  async #compile(changes: readonly Changed[], revision: number): Promise<SnapshotDelta> {
    const put: Fragment[] = []
    const drop: FragmentKey[] = []
    const roots = new Map(
      changes.flatMap((changed) => {
        const root = rootOf((changed.after ?? changed.before)!)
        return root === null ? [] : [[root.id, root] as const]
      }),
    )
    const errors: FieldError[] = []
    for (const [index, { type, id }] of [...roots.values()].entries()) {
      const compiled = await compileRoot(this.writer, type, id)
      put.push(...compiled.put)
      drop.push(...compiled.drop)
      errors.push(...compiled.put.flatMap((fragment) => this.#deps.check(fragment)))
      await breathe(index + 1)
    }
    if (errors.length > 0)
      throw refuse('configuration_invalid', {
        detail: `The configuration would not work: ${errors[0]!.reason}.`,
        errors,
      })
    for (const id of this.#resealed) put.push(...(await this.#recompile(id)))
    for (const { before, after } of changes) {
      const schemas = before?.type === 'collections' ? before.spec['schemas'] : null
      if (typeof schemas !== 'string') continue
      if (after?.spec['schemas'] !== schemas || after.status !== 'published')
        drop.push(...(await unusedSchemas(this.writer, schemas)))
    }
    return toDelta(revision, false, put, drop)
  }

  /** What holds the secrets of an owner, as it stands; what did not work before stays closed. */
  async #recompile(owner: string): Promise<readonly Fragment[]> {
    const resource =
      (await this.writer.byId('credentials', owner)) ?? (await this.writer.byId('profiles', owner))
    const root = resource === undefined ? null : rootOf(resource)
    return root === null ? [] : compileOrClose(this.writer, root)
  }

  /** Slugs of all that the changed resources are or refer to, also of what is gone. */
  async #slugs(changes: readonly Changed[]): Promise<ReadonlyMap<string, string>> {
    const ids = changes.flatMap(({ kind, before, after }) =>
      referred(
        kind,
        [before, after].filter((one) => one !== null),
      ),
    )
    const slugs = new Map(await this.writer.slugs(ids))
    for (const { before, after } of changes) {
      const { id, slug } = (after ?? before)!
      if (before === null || after === null || this.planId !== undefined) slugs.set(id, slug)
    }
    return slugs
  }

  /** Paths of the subject start at its own members, those of other resources with `/type/slug`. */
  async #diff(changes: readonly Changed[], slugs: ReadonlyMap<string, string>): Promise<DiffEntry[]> {
    const entries: DiffEntry[] = []
    let done = 0
    for (const changed of changes) {
      await breathe(++done)
      const { id, slug } = (changed.after ?? changed.before)!
      const path = id === this.#subject?.id ? [] : [changed.kind.type, slug]
      entries.push(...(await this.#diffOf(changed, slugs, path)))
    }
    return entries
  }

  async #diffOf(
    { kind, before, after, notes }: Changed,
    slugs: ReadonlyMap<string, string>,
    path: readonly string[],
  ): Promise<DiffEntry[]> {
    const [was, is] = [await plain(kind, before, slugs), await plain(kind, after, slugs)]
    const prefix = path.map((part) => `/${part}`).join('')
    return [...diffOf(was, is, path), ...notes.map((note) => ({ ...note, path: prefix + note.path }))]
  }
}

function fieldsOf({ slug, spec, draft, managed_by }: Resource): Fields {
  return { slug, spec, draft, managed_by }
}

function columnsOf(kind: Kind, spec: Fields): { name: string; status: Status | null; key: string | null } {
  return {
    // The exact schema of the kind has judged these members.
    name: String(spec['name']),
    status: (spec['status'] as Status | undefined) ?? null,
    key: kind.keyOf?.(spec) ?? null,
  }
}

async function plain(
  kind: Kind,
  resource: Resource | null,
  slugs: ReadonlyMap<string, string>,
): Promise<Record<string, unknown> | undefined> {
  if (resource === null) return undefined
  const view: Record<string, unknown> = {
    slug: resource.slug,
    ...(await readable(kind, resource.spec, slugs)),
  }
  if (resource.draft !== null) view['pending_draft'] = await readable(kind, resource.draft, slugs)
  if (resource.managed_by !== null) view['managed_by'] = resource.managed_by
  return view
}
