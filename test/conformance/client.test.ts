/**
 * The official conformance suite of MCP, as clients pass it. Each target is a program that stands for one way from a client
 * to the suite.
 */
import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { describe, test } from 'node:test'
import { IS_LONG } from '../support/long.ts'
import { plainClientScenarios, runClientSuite } from './client-suite.ts'
import { REQUIREMENT_SETS } from './suite.ts'

const program = (name: string): string =>
  `${process.execPath} --disable-warning=ExperimentalWarning ${resolve(import.meta.dirname, name)}`

interface Target {
  readonly name: string
  readonly command: string
  /** Scenarios that it does not pass yet; one that passes must leave the list. */
  readonly fails: readonly string[]
}

const TARGETS: readonly Target[] = [
  { name: 'the client of SDK v2', command: program('client-driver.ts'), fails: [] },
  {
    name: 'a virtual MCP',
    command: program('gateway-driver.ts'),
    fails: [],
  },
]
const SKIPPED = IS_LONG ? false : 'the official conformance suite, half a minute: npm run test:all'

for (const { name, command, fails } of TARGETS)
  describe(`the conformance suite before ${name}`, { skip: SKIPPED }, () => {
    for (const requirements of REQUIREMENT_SETS)
      test(`passes all that ${requirements} requires but authorization`, async (t) => {
        const { exitCode, scenarios, output } = await runClientSuite({ command, requirements })
        for (const scenario of scenarios)
          await t.test(scenario.name, () =>
            fails.includes(scenario.name)
              ? assert.ok(!scenario.hasPassed, 'it passes now')
              : assert.deepEqual(scenario.findings, []),
          )
        if (fails.length === 0) assert.equal(exitCode, 0, output)
      })
  })

test('the suite requires 4 scenarios of clients for 2025-11-25, and 7 for 2026-07-28', () => {
  assert.deepEqual(
    REQUIREMENT_SETS.map((set) => plainClientScenarios(set).length),
    [4, 7],
  )
})
