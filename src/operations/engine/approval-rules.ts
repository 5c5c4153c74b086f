import type { Grant, Permission, Principal, Touched } from '../../access/principal.ts'
import { isWithin, permits, typeIn, UNPLACED } from '../../access/roles.ts'
import { teamsAbove, teamsOf } from '../../access/teams.ts'
import { refuse } from '../../base/refusal.ts'
import { APPROVABLE, type ApprovalRule, permissionsMeant } from '../../model/access/approval.ts'
import type { NewHosts } from '../../model/access/host.ts'
import { inWords, isResourceType, NOUNS, type ResourceType, typesBelow } from '../../model/resource-types.ts'
import type { ChangeRequestFacts } from '../../store/ports/change-requests.ts'
import type { ConfigReader, ConfigWriter } from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'

/** The settings that change while the process runs, as they are stored: references are ids. */
export interface StoredSettings {
  readonly revision: number
  readonly approvals: readonly ApprovalRule[]
  /** Whether an application may be used from its first consent on. Absent in settings of earlier versions: `allow`. */
  readonly new_hosts?: NewHosts
  /** RFC 3339; null before the first change. */
  readonly updated_at: string | null
  readonly updated_by: string | null
}

const NAME = 'settings'

const NONE: StoredSettings = { revision: 1, approvals: [], updated_at: null, updated_by: null }

export async function readStoredSettings(reader: Pick<ConfigReader, 'meta'>): Promise<StoredSettings> {
  const text = await reader.meta(NAME)
  // Only writeStoredSettings writes it.
  return text === undefined ? NONE : (JSON.parse(text) as StoredSettings)
}

export function writeStoredSettings(
  writer: Pick<ConfigWriter, 'setMeta'>,
  settings: StoredSettings,
): Promise<void> {
  return writer.setMeta(NAME, JSON.stringify(settings))
}

/** Ids that a rule names. */
export function idsIn({ scope, subjects }: ApprovalRule): readonly string[] {
  // Rules stored by earlier versions lack virtual_mcps
  const { collections, virtual_mcps = [] } = scope
  const { users, teams, service_identities } = subjects
  return [...collections, ...virtual_mcps, ...users, ...teams, ...service_identities]
}

/** The rules for approval that hold for one principal, while it writes. */
export interface Gate {
  /** Names of the rules that have been met. */
  readonly met: ReadonlySet<string>
  /** Has the rules look at a write of something; without `touched` at one of which the place is not known. */
  judge(permission: Permission, touched?: Touched): void
  /**
   * Has them look at what is taken out of the reach of one, by whatever permission: it could then be changed freely; and at what comes
   * into the reach of one about making or publishing: it would be there without having been either.
   */
  judgeMove(type: ResourceType, from: Touched, to: Touched): void
}

/** How a write stands to the rules for approval. */
export interface Approval {
  /** Null where no rule holds. */
  readonly gate: Gate | null
  /** The request that it carries out. */
  readonly approved: ChangeRequestFacts | undefined
  /** Whoever asked carries it out by asking again. */
  readonly isRepeated: boolean
  /** It passes the rules: whoever has the data directory changes the settings. */
  readonly isWayOut: boolean
}

/** No rule holds. */
export const NO_RULES: Approval = { gate: null, approved: undefined, isRepeated: false, isWayOut: false }

/** Null where no rule holds for the principal. */
export async function gateFor(principal: Principal, reader: ConfigReader): Promise<Gate | null> {
  if (principal.type === 'system') return null
  const { approvals } = await readStoredSettings(reader)
  const rules: (readonly [string, Required<Grant>])[] = []
  for (const rule of approvals)
    if (await holdsFor(rule, principal, reader)) rules.push([rule.name, asGrant(rule)])
  return rules.length === 0 ? null : createGate(rules)
}

function createGate(rules: readonly (readonly [string, Required<Grant>])[]): Gate {
  const met = new Set<string>()
  return {
    met,
    judge(permission, touched) {
      for (const [name, grant] of rules) if (permits({ grants: [grant] }, permission, touched)) met.add(name)
    },
    judgeMove(type, from, to) {
      const types = [type, ...typesBelow(type)]
      for (const [name, grant] of rules) {
        const [was, is] = [isWithin(grant.scope, from), isWithin(grant.scope, to)]
        if (was !== is && isAboutAny(grant, types, was ? APPROVABLE : ENTERING)) met.add(name)
      }
    },
  }
}

/** By which something comes to be where it is. */
const ENTERING = APPROVABLE.filter((permission) => /:(create|publish)$/.test(permission))

function isAboutAny(grant: Grant, types: readonly string[], permissions: readonly string[]): boolean {
  // The model lists permissions in their form.
  return (permissions as readonly Permission[]).some(
    (permission) => types.includes(typeIn(permission)) && permits({ grants: [grant] }, permission),
  )
}

/** What a rule is about, in the form in which permissions are judged. */
export function asGrant({ permissions, scope }: ApprovalRule): Required<Grant> {
  const { resource_types: types, verbs, collections, virtual_mcps = [], tags } = scope
  return {
    role: { permissions: new Set(permissions.flatMap(permissionsMeant)) },
    scope: { types, verbs, collections: [...collections, ...virtual_mcps], tags },
  }
}

async function holdsFor(
  { subjects: { users, teams, service_identities } }: ApprovalRule,
  { id }: Principal,
  reader: ConfigReader,
): Promise<boolean> {
  if (users.length + teams.length + service_identities.length === 0) return true
  if (users.includes(id) || service_identities.includes(id)) return true
  if (teams.length === 0) return false
  const user = await reader.byId('users', id)
  if (user === undefined) return false
  // Stored by the schema of this type.
  const direct = await teamsOf(reader, id, user.spec.groups)
  for (const team of direct)
    if ((await teamsAbove(reader, team.id)).some((above) => teams.includes(above.id))) return true
  return false
}

/** Has the gate look at an operation that is about no resource; those about resources are judged write by write. */
export function judgeOperation(gate: Gate, permission: Permission): void {
  const type = typeIn(permission)
  if (isResourceType(type)) return
  // Records are chosen by a filter, which may reach anywhere
  if (type === 'records') gate.judge(permission)
  else gate.judge(permission, UNPLACED)
}

/** Refuses with in_use to remove what a rule names: another of its slug would not be meant. */
export async function refuseNamed({ id, type, slug }: Resource, reader: ConfigReader): Promise<void> {
  const { approvals } = await readStoredSettings(reader)
  const rule = approvals.find((one) => idsIn(one).includes(id))
  if (rule !== undefined)
    throw refuse('in_use', {
      detail: `The ${inWords(NOUNS[type])} "${slug}" is named in the approval rule "${rule.name}". First remove it from the rule.`,
      members: { used_by: [`settings/${rule.name}`] },
    })
}
