import { scopesOf } from '../../base/crypto/jwt.ts'
import type { NodeCaller, NodeRun } from '../run.ts'

/** A condition, by the name under which a failure of it is listed. */
type Condition = readonly [name: string, holds: (caller: NodeCaller) => boolean]

/** As the definition has parsed it. */
interface Conditions {
  readonly claims: readonly { readonly claim: string; readonly equals: string | readonly string[] }[]
  readonly scopes: readonly string[]
  readonly clients: readonly string[]
  readonly profiles: readonly string[]
}

export const authCheckRun: NodeRun = {
  name: 'auth_check_node',
  inTrial: 'runs',
  link(config) {
    const conditions = conditionsOf(config as unknown as Conditions)
    return (_inputs, { caller }) => {
      const failed = conditions.filter(([, holds]) => !holds(caller)).map(([name]) => name)
      // Without a condition nobody passes: a check that lost its settings must open no way
      const passed = conditions.length > 0 && failed.length === 0
      return { handle: String(passed), outputs: { passed, failed } }
    }
  },
}

function conditionsOf({ claims, scopes, clients, profiles }: Conditions): readonly Condition[] {
  const listed = (name: string, ids: readonly string[], idOf: (caller: NodeCaller) => string): Condition[] =>
    ids.length === 0 ? [] : [[name, (caller) => ids.includes(idOf(caller))]]
  return [
    ...claims.map(
      ({ claim, equals }): Condition => [
        `claims/${claim}`,
        (caller) => valuesOf(caller, claim).some((value) => [equals].flat().includes(value)),
      ],
    ),
    ...(scopes.length === 0
      ? []
      : [['scopes', (caller: NodeCaller) => holdsScopes(caller, scopes)] satisfies Condition]),
    ...listed('clients', clients, ({ client }) => client),
    ...listed('profiles', profiles, ({ profile }) => profile),
  ]
}

/** Values of a proved claim: the items of a list; none for a claim that the caller does not have. */
function valuesOf({ claims, subject }: NodeCaller, name: string): readonly string[] {
  const value = claims.get(name) ?? (name === 'sub' && subject !== '' ? subject : undefined)
  return value === undefined ? [] : (claims.lists?.get(name) ?? [value])
}

function holdsScopes({ claims }: NodeCaller, scopes: readonly string[]): boolean {
  const claimOf = (name: string): unknown => claims.lists?.get(name) ?? claims.get(name)
  const held = scopesOf({ scope: claimOf('scope'), scp: claimOf('scp') })
  return scopes.every((scope) => held.includes(scope))
}
