import { CLIENT_SECRET } from '../../access/accounts.ts'
import { AUDIENCE } from '../../access/tokens.ts'
import { type Clock, toTime } from '../../base/clock.ts'
import {
  hashToken,
  mintClientSecret,
  mintLookup,
  mintSigningSecret,
  mintToken,
  printOfImported,
  Secret,
} from '../../base/crypto/token.ts'
import { newId } from '../../base/ids.ts'
import { HASH_KEY } from '../../guardrails/rule.ts'
import { isHeaderField } from '../../model/http-names.ts'
import {
  type ConfigWriter,
  isSigningSecret,
  type StoredPersonalToken,
  type StoredToken,
} from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'
import { type Resealed, resealSecrets } from '../../vault/reseal.ts'
import type { Vault } from '../../vault/vault.ts'
import type { DiffEntry } from './write-options.ts'

/** What secrets need of the change that they are made in. */
interface ChangePorts {
  readonly writer: ConfigWriter
  readonly vault: Vault
  readonly clock: Clock
  readonly isDryRun: boolean
  note(resource: Resource, entry: DiffEntry): Promise<Resource>
  noteBeside(entry: DiffEntry): void
  tell(entry: DiffEntry): void
}

/** What became of a token that is imported. */
type TakenToken =
  | { readonly outcome: 'new'; readonly id: string }
  | { readonly outcome: 'present'; readonly id: string; readonly expiresAt: number | null }
  | { readonly outcome: 'taken' | 'full' }

/**
 * The secrets and tokens of one change: sealed or hashed before they are stored, and named in its diff without their
 * value. What is issued is given once, to be shown in the answer; a dry run gives none.
 */
export class ChangeSecrets {
  readonly #change: ChangePorts
  readonly #resealed: string[] = []
  #revealed = false

  constructor(change: ChangePorts) {
    this.#change = change
  }

  /** A secret was made that is shown only in this answer. */
  get revealed(): boolean {
    return this.#revealed
  }

  /** Owners of secrets that were only sealed anew: they count no revision. */
  get resealed(): readonly string[] {
    return this.#resealed
  }

  /** Seals a secret field of a resource that was just stored. */
  async set(
    resource: Resource,
    field: string,
    text: string,
    hint: 'last4' | 'none' = 'last4',
  ): Promise<void> {
    const secret = new Secret(text)
    const known = (await this.#change.writer.secretsOf([resource.id])).some((one) => one.field === field)
    await this.#change.writer.putSecret({
      owner: resource.id,
      field,
      sealed: this.#change.vault.seal(secret, resource.id, field),
      // Four characters of a short secret would give too much of it away.
      last4: hint === 'last4' && text.length >= 16 ? text.slice(-4) : null,
      updated_at: toTime(this.#change.clock.now()),
    })
    await this.#change.note(resource, {
      op: known ? 'replace' : 'add',
      path: isHeaderField(field) || field === HASH_KEY ? `/${field}` : `/auth/${field}`,
      value: 'changed',
    })
  }

  /** Opens a sealed secret field; undefined when there is none. */
  async open(resource: Resource, field: string): Promise<string | undefined> {
    const stored = (await this.#change.writer.secretsOf([resource.id])).find((one) => one.field === field)
    return stored && this.#change.vault.open(stored.sealed, resource.id, field).reveal()
  }

  /** Issues a token of a profile. */
  async issueToken(
    profile: Resource,
    expiresAt: number | null,
    kind: 'pk' | 'ht' = 'pk',
  ): Promise<{ id: string; token: string | undefined }> {
    const { token, lookup, hash } = mintToken(kind)
    const id = newId('key', this.#change.clock)
    const now = this.#change.clock.now()
    await this.#change.writer.putToken({
      id,
      profile: profile.id,
      lookup,
      hash,
      created_at: now,
      expires_at: expiresAt,
      retires_at: null,
      revoked_at: null,
    })
    await this.#change.note(profile, { op: 'add', path: `/tokens/${id}`, value: 'changed' })
    return { id, token: this.#reveal(token) }
  }

  /**
   * Takes a token that another gateway has issued as one of the profile. `taken`: another profile has it, or it was revoked.
   * @param hasRoom false where the profile may have no further token
   */
  async importToken(
    profile: Resource,
    text: string,
    expiresAt: number | null,
    hasRoom: boolean,
  ): Promise<TakenToken> {
    const print = printOfImported(this.#change.vault.importedKey(), text)
    const known = await this.#change.writer.tokenByLookup(print.lookup)
    if (known !== undefined)
      return known.profile === profile.id && known.revoked_at === null
        ? { outcome: 'present', id: known.id, expiresAt: known.expires_at }
        : { outcome: 'taken' }
    if (!hasRoom) return { outcome: 'full' }
    const id = newId('key', this.#change.clock)
    await this.#change.writer.putToken({
      id,
      profile: profile.id,
      ...print,
      created_at: this.#change.clock.now(),
      expires_at: expiresAt,
      retires_at: null,
      revoked_at: null,
    })
    await this.#change.note(profile, { op: 'add', path: `/tokens/${id}`, value: 'changed' })
    return { outcome: 'new', id }
  }

  /** Makes a link by which a local user chooses a password. */
  async issueSetUpLink(user: Resource, expiresAt: number): Promise<string | undefined> {
    const { token, hash } = mintToken('su')
    const link = { hash, user: user.id, purpose: 'invite', expires_at: expiresAt } as const
    await this.#change.writer.putSetUpLink(link, this.#change.clock.now())
    await this.#change.note(user, { op: 'add', path: '/set_up_link', value: 'changed' })
    return this.#reveal(token)
  }

  /**
   * Forgets the password of a local user, and links to choose one. Gives false where there was no password.
   * @param user as it was stored last
   */
  async removePassword(user: Resource): Promise<boolean> {
    const known = await this.#change.writer.password(user.id)
    await this.#change.writer.removePassword(user.id)
    if (known === undefined) return false
    await this.#change.note(user, { op: 'remove', path: '/password', value: 'changed' })
    return true
  }

  /** Makes the secret of a service identity, of which the hash is kept. */
  async issueClientSecret(identity: Resource): Promise<string | undefined> {
    const text = mintClientSecret()
    await this.set(identity, CLIENT_SECRET, hashToken(text), 'none')
    return this.#reveal(text)
  }

  /** Makes a secret that callers of a profile sign with. */
  async issueSigningSecret(
    profile: Resource,
  ): Promise<{ id: string; kid: string; secret: string | undefined }> {
    const text = mintSigningSecret()
    const id = newId('sec', this.#change.clock)
    const kid = mintLookup()
    const now = this.#change.clock.now()
    await this.#change.writer.putToken({
      id,
      profile: profile.id,
      lookup: kid,
      hash: hashToken(text),
      created_at: now,
      expires_at: null,
      retires_at: null,
      revoked_at: null,
    })
    await this.#change.writer.putSecret({
      owner: profile.id,
      field: id,
      sealed: this.#change.vault.seal(new Secret(text), profile.id, id),
      last4: null,
      updated_at: toTime(now),
    })
    await this.#change.note(profile, { op: 'add', path: `/secrets/${id}`, value: 'changed' })
    return { id, kid, secret: this.#reveal(text) }
  }

  /** Issues a token of a user. */
  async issuePersonalToken(
    made: Pick<StoredPersonalToken, 'name' | 'owner' | 'grants' | 'expires_at'>,
  ): Promise<{ stored: StoredPersonalToken; token: string | undefined }> {
    const { token, lookup, hash } = mintToken('pt')
    const stored: StoredPersonalToken = {
      ...made,
      id: newId('tok', this.#change.clock),
      lookup,
      hash,
      audience: AUDIENCE,
      method: 'personal_token',
      created_at: this.#change.clock.now(),
      revoked_at: null,
      last_used_at: null,
    }
    await this.#change.writer.putAccessToken(stored)
    this.#change.tell({ op: 'add', path: '/token', value: 'changed' })
    return { stored, token: this.#reveal(token) }
  }

  /** Stores a changed state of an issued token; `what` names the change in the diff. */
  async putToken(profile: Resource, token: StoredToken, what: 'retires_at' | 'revoked_at'): Promise<void> {
    await this.#change.writer.putToken(token)
    if (token.revoked_at !== null) await this.#change.writer.removeSecret(profile.id, token.id)
    const at = token[what]
    await this.#change.note(profile, {
      op: 'replace',
      path: `/${isSigningSecret(token) ? 'secrets' : 'tokens'}/${token.id}/${what}`,
      value: at === null ? null : toTime(at),
    })
  }

  /** Seals every secret with the first key of the vault. */
  async resealAll(): Promise<Resealed> {
    const resealed = await resealSecrets(this.#change.writer, this.#change.vault)
    this.#resealed.push(...resealed.owners)
    this.#change.noteBeside({ op: 'replace', path: '/secrets', value: resealed.count })
    return resealed
  }

  /** Has the authorization server make new keys; those before still prove what they have signed, for a day. */
  async retireOAuthKeys(): Promise<void> {
    const oauth = await this.#change.writer.joinOAuth()
    const current = (await oauth.keys()).filter(({ retired_at }) => retired_at === null)
    for (const key of current) await oauth.putKey({ ...key, retired_at: this.#change.clock.now() })
    if (current.length > 0) this.#change.noteBeside({ op: 'replace', path: '/oauth_keys', value: 'changed' })
  }

  #reveal(text: string): string | undefined {
    if (this.#change.isDryRun) return undefined
    this.#revealed = true
    return text
  }
}
