/** Approval rules, read as sentences. */
import { listed, type Scope } from '../people/access.ts'

/** A rule as `settings.get` answers it. */
export interface ApprovalRule {
  readonly name: string
  readonly permissions: readonly string[]
  readonly scope: Scope
  readonly subjects: {
    readonly users: readonly string[]
    readonly teams: readonly string[]
    readonly service_identities: readonly string[]
  }
}

const DOING: Readonly<Record<string, string>> = {
  create: 'creating',
  update: 'changing',
  delete: 'deleting',
  publish: 'publishing',
  rotate: 'rotating',
  '*': 'any change of',
}

function named(resource: string): string {
  return resource.replaceAll('_', ' ').replace(/\bmcps\b/, 'MCPs')
}

/** `changing proxies` of `proxies:update`, `deleting anything` of `*:delete`. */
function permissionWords(pattern: string): string {
  const [resource = '', verb = ''] = pattern.split(':')
  return `${DOING[verb] ?? verb} ${resource === '*' ? 'anything' : named(resource)}`
}

/** What a rule holds back, where, and whose changes: `Changing proxies in the collection orders needs approval.` */
export function ruleSentence({ permissions, scope, subjects }: ApprovalRule): string {
  const what = listed(permissions.map(permissionWords), 'and')
  const some = (one: string, many: string, names: readonly string[]): string[] =>
    names.length === 0 ? [] : [`the ${names.length === 1 ? one : many} ${listed(names, 'and')}`]
  const places = [
    ...some('collection', 'collections', scope.collections),
    ...some('virtual MCP', 'virtual MCPs', scope.virtual_mcps),
  ]
  const limits = [
    ...(scope.resource_types.length > 0 ? [`only for ${listed(scope.resource_types.map(named), 'or')}`] : []),
    ...(scope.verbs.length > 0 ? [`by ${listed(scope.verbs.map(named), 'or')}`] : []),
    ...(places.length > 0 ? [`in ${listed(places, 'and')}`] : []),
    ...(scope.tags.length > 0 ? [`with the tag ${listed(scope.tags, 'or')}`] : []),
  ]
  const people = [
    ...subjects.users,
    ...subjects.teams.map((team) => `a member of the team ${team}`),
    ...subjects.service_identities.map((slug) => `the service identity ${slug}`),
  ]
  const by = people.length === 0 ? '' : ` if ${listed(people, 'or')} requests the change`
  const text = [what, ...limits].join(', ')
  const needs = permissions.length === 1 ? 'needs' : 'need'
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${limits.length > 0 ? ',' : ''} ${needs} the approval of another person${by}.`
}
