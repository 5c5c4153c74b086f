import assert from 'node:assert/strict'
import type { Principal } from '../../src/access/principal.ts'
import { createClock } from '../../src/base/clock.ts'
import type { ChangeRequest } from '../../src/model/access/approval.ts'
import { createAccounts } from '../../src/operations/access/accounts.ts'
import type { Invoked } from '../../src/operations/engine/call.ts'
import type { WriteOptions } from '../../src/operations/engine/write-options.ts'
import { type Control, example, operationOf, principalOf, startControl, VIA } from '../control.ts'

/**
 * The worked example with three administrators, `ada`, `bob` and `cleo`, and a service identity, `pipeline`, that may do
 * everything as well. The role `approver` approves and reads proxies.
 */
export async function startApprovals() {
  const control: Control = await startControl()
  await example(control)
  const ids: Record<string, string> = {}
  for (const slug of ['ada', 'bob', 'cleo']) {
    ids[slug] = String((await control.run('users.create', { name: slug })).output['id'])
    await control.run('grants.create', { name: 'all', user: slug, role: 'admin' })
  }
  await control.run('service_identities.create', { name: 'pipeline' })
  await control.run('grants.create', { name: 'all', service_identity: 'pipeline', role: 'admin' })
  ids['pipeline'] = String((await control.run('service_identities.get', { id: 'pipeline' })).output['id'])
  await control.run('roles.create', { name: 'Approver', permissions: ['config:approve', 'proxies:read'] })

  /** Puts rules in force, past those that are: as whoever has the data directory. */
  function past(approvals: readonly unknown[]): Promise<Invoked> {
    const local: Principal = { ...principalOf('admin'), authMethod: 'local_token' }
    return control.invoke(operationOf('settings.update'), { approvals }, {}, local, VIA)
  }
  /** Puts one rule in force. */
  function rule(
    permission: string | readonly string[],
    subjects: Record<string, readonly string[]> = {},
    scope: Record<string, readonly string[]> = {},
  ): Promise<Invoked> {
    return past([{ name: 'Two of us', permissions: [permission].flat(), subjects, scope }])
  }
  /** Runs an operation as a user or service identity with what it may do now. */
  async function as(
    name: string,
    operation: string,
    input: unknown,
    options: WriteOptions = {},
    changed: Partial<Principal> = {},
  ): Promise<Invoked> {
    const accounts = createAccounts(control.store.read, createClock(control.cell), control.invoke)
    const proof = { authMethod: 'oauth', expiresAt: null, ceiling: null }
    const principal = await accounts.principalOf(ids[name]!, proof)
    return control.invoke(operationOf(operation), input, options, { ...principal, ...changed }, VIA)
  }
  return {
    control,
    ids,
    past,
    rule,
    as,
    approve: (name: string, id: string, options: WriteOptions = {}): Promise<Invoked> =>
      as(name, 'change_requests.approve', { id }, options),
    revision: (): Promise<number> => control.store.read.revision(),
    entriesOf: async (operation: string) =>
      (await control.store.read.auditEntries({ operation, limit: 50, bodies: true })).items,
  }
}

/** The change request that a write answered with. */
export function requestOf({ status, output }: Invoked): ChangeRequest {
  assert.equal(status, 202, JSON.stringify(output))
  return output['change_request'] as ChangeRequest
}
