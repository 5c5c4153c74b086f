/** Reads the claims of an identity provider: which person they describe, and which grants they map to. */
import type { Arrival } from '../../access/accounts.ts'
import { parseGrant } from '../../access/grant-text.ts'
import { claimOf } from '../../base/crypto/jwt.ts'
import type { Plain } from '../../base/json/plain.ts'
import { isStorable, UNSTORABLE } from '../../base/json/storable.ts'
import { refuse } from '../../base/refusal.ts'

/** What people with a claim may do. */
export interface RoleRule {
  /** `*` is everybody, `group` the claim that holds the groups, any other the name of a claim. */
  readonly claim: string
  readonly value: string | null
  /** A grant in its compact form. */
  readonly grant: string
}

/** How the claims of an identity provider are read. */
export interface ClaimReading {
  readonly issuer: string
  /** Stands before the groups of a further provider, as `slug/group`; null for the first provider, whose groups stay as they are. */
  readonly slug: string | null
  /** Slugs of all further providers: a group of the first provider that looks like one of theirs is left out. */
  readonly furtherSlugs: readonly string[]
  readonly groupsClaim: string
  readonly roleMap: readonly RoleRule[]
}

/** Why a rule grants nothing, as a sentence; null when all of them are grants. */
export function faultOfRoleMap(rules: readonly RoleRule[]): string | null {
  for (const { grant } of rules) {
    const parsed = parseGrant(grant)
    if (typeof parsed === 'string') return `"${grant}" is no grant: ${parsed}`
  }
  return null
}

/**
 * Who the claims of an issuer speak of, and what they may do by them. An email that the issuer says is not verified is
 * none, and text that no store keeps is none. Refuses with credential_invalid a subject that no store keeps.
 * @param absent value of an email or a name that the claims do not contain: null for none, undefined to keep the known one
 */
export function toArrival(
  claims: Plain,
  subject: string,
  reading: ClaimReading,
  absent: null | undefined,
): Arrival {
  const { issuer, groupsClaim, roleMap } = reading
  if (!isStorable(subject)) throw refuse('credential_invalid', { inner: `the claim sub ${UNSTORABLE}` })
  const { email, email_verified, name, iat } = claims
  const isVerified = email_verified !== false && email_verified !== 'false'
  // What people say of themselves gives them nothing
  const trusted: Plain = isVerified ? claims : { ...claims, email: undefined }
  const holds = ({ claim, value }: RoleRule): boolean =>
    value === null || textsOf(claimOf(trusted, claim === 'group' ? groupsClaim : claim)).includes(value)
  return {
    issuer,
    subject,
    email: isText(email) ? (isVerified ? email : null) : absent,
    name: isText(name) ? name : absent,
    groups: groupsOf(textsOf(claimOf(trusted, groupsClaim)).filter(isStorable), reading),
    grants: [...new Set(roleMap.filter(holds).map(({ grant }) => grant))],
    claimsIssuedAt: typeof iat === 'number' ? iat : undefined,
  }
}

/** Groups by names that no other provider can give to anybody. */
function groupsOf(
  groups: readonly string[],
  { slug, furtherSlugs }: Pick<ClaimReading, 'slug' | 'furtherSlugs'>,
): readonly string[] {
  if (slug !== null) return groups.map((group) => `${slug}/${group}`)
  return groups.filter((group) => !furtherSlugs.some((further) => group.startsWith(`${further}/`)))
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && isStorable(value)
}

function textsOf(value: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  return list.flatMap((one) =>
    typeof one === 'string'
      ? [one]
      : typeof one === 'boolean' || typeof one === 'number'
        ? [String(one)]
        : [],
  )
}
