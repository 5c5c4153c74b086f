/**
 * The official conformance suite of MCP, as clients pass it. Each target is a program that stands for one way from a client
 * to the suite.
 */
import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { IS_LONG } from '../support/long.ts'
import { type Accounts, startAccounts } from './accounts.ts'
import {
  authorizationClientScenarios,
  type ClientRun,
  plainClientScenarios,
  runClientSuite,
} from './client-suite.ts'
import { REQUIREMENT_SETS, type RequirementSet, unscoredScenarios } from './suite.ts'

const program = (name: string): string =>
  `${process.execPath} --disable-warning=ExperimentalWarning ${resolve(import.meta.dirname, name)}`

interface Target {
  readonly name: string
  readonly command: string
}

const TARGETS: readonly Target[] = [
  { name: 'the client of SDK v2', command: program('client-driver.ts') },
  { name: 'a virtual MCP', command: program('gateway-driver.ts') },
]
const SKIPPED = IS_LONG ? false : 'the official conformance suite, a minute: npm run test:all'

/** Of extensions that Postern does not have, and the suite does not score. A scenario that passes must leave the list. */
const UNSUPPORTED = ['auth/dpop', 'auth/dpop-nonce', 'auth/wif-jwt-bearer']

/** Each scenario is a test of its own. */
async function passes(t: TestContext, run: ClientRun): Promise<void> {
  const { exitCode, scenarios, output } = await runClientSuite(run)
  for (const scenario of scenarios) await t.test(scenario.name, () => assert.deepEqual(scenario.findings, []))
  assert.equal(exitCode, 0, output)
}

for (const { name, command } of TARGETS)
  describe(`the conformance suite before ${name}`, { skip: SKIPPED }, () => {
    for (const requirements of REQUIREMENT_SETS)
      test(`passes all that ${requirements} requires but authorization, without a warning`, (t) =>
        passes(t, { command, requirements, scenarios: plainClientScenarios(requirements) }))
  })

describe('the conformance suite before origins of Postern', { skip: SKIPPED }, () => {
  let accounts: Accounts
  before(async () => {
    accounts = await startAccounts()
  })
  after(() => accounts?.[Symbol.asyncDispose]())

  const playedWith = (requirements: RequirementSet, scenarios: readonly string[]): ClientRun => ({
    ...{ command: program('account-program.ts'), requirements, scenarios },
    env: { POSTERN_ACCOUNTS: accounts.url },
  })
  for (const requirements of REQUIREMENT_SETS)
    test(`passes the authorization that ${requirements} requires, without a warning`, (t) =>
      passes(t, playedWith(requirements, authorizationClientScenarios(requirements))))

  // Of extensions, which the suite does not score
  test('passes client credentials with a secret and with a key', (t) =>
    passes(t, playedWith('2026-07-28', ['auth/client-credentials-basic', 'auth/client-credentials-jwt'])))

  // Of an extension too. `suite-provider.ts` says what the provider of the suite lacks for a sign-in
  for (const requirements of REQUIREMENT_SETS)
    test(`passes enterprise-managed authorization by the sign-in of a person: ${requirements}`, (t) =>
      passes(t, playedWith(requirements, ['auth/enterprise-managed-authorization'])))
})

test('each scenario of authorization that the suite does not score is passed or reported', () => {
  const passed = ['client-credentials-basic', 'client-credentials-jwt', 'enterprise-managed-authorization']
  for (const set of REQUIREMENT_SETS)
    assert.deepEqual(
      unscoredScenarios(set, 'client')
        .filter((name) => name.startsWith('auth/'))
        .toSorted(),
      [...passed.map((name) => `auth/${name}`), ...UNSUPPORTED].toSorted(),
    )
})

test('the suite requires 18 scenarios of clients for 2025-11-25, and 32 for 2026-07-28', () => {
  const counts = REQUIREMENT_SETS.map((set) => [
    plainClientScenarios(set).length,
    authorizationClientScenarios(set).length,
  ])
  assert.deepEqual(counts, [
    [4, 14],
    [7, 25],
  ])
})
