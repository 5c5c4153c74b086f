/**
 * Runs the client side of the conformance suite: it serves a scenario, starts a program with the URL as the last argument,
 * and looks at what the program sends. Scenarios of authorization have programs of their own: they are about the client that signs in.
 */
import { type RequirementSet, requiredScenarios, runSuite, type SuiteResult } from './suite.ts'

export interface ClientRun {
  /** Run by a shell, which splits it at spaces. The environment says which scenario and which revision it is. */
  readonly command: string
  readonly requirements: RequirementSet
  readonly scenarios: readonly string[]
  /** Added to the environment of the program. */
  readonly env?: Readonly<Record<string, string>>
}

/** Programs that run at the same time, with a server each. */
const AT_ONCE = 2

/** The required scenarios that are not about authorization. */
export function plainClientScenarios(requirements: RequirementSet): readonly string[] {
  return requiredScenarios(requirements, 'client').filter((name) => !name.startsWith('auth/'))
}

/** The required scenarios that are about authorization. */
export function authorizationClientScenarios(requirements: RequirementSet): readonly string[] {
  return requiredScenarios(requirements, 'client').filter((name) => name.startsWith('auth/'))
}

/** Throws only when the suite cannot be started. */
export async function runClientSuite({
  command,
  requirements,
  scenarios,
  env = {},
}: ClientRun): Promise<SuiteResult> {
  const results = new Map<string, SuiteResult['scenarios'][number]>()
  let output = ''
  let exitCode: number | null = 0
  const waiting = scenarios.values()
  const turn = async (): Promise<void> => {
    for (const name of waiting) {
      // Scenarios of extensions are of no revision
      const options = ['--command', command, '--scenario', name, '--spec-version', requirements, '--force']
      // A client that is a whole gateway takes longer to start on a busy machine than the suite waits unasked
      options.push('--timeout', '120000')
      const run = await runSuite('client', options, env)
      results.set(name, run.result(name, true))
      output += run.output
      if (run.exitCode !== 0) exitCode = run.exitCode
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, turn))
  return { exitCode, scenarios: scenarios.map((name) => results.get(name)!), output }
}
