/**
 * Runs the client side of the conformance suite: it serves a scenario, starts a program with the URL as the last argument,
 * and looks at what the program sends. Scenarios of authorization are left out: they belong to the client that signs in.
 */
import { type RequirementSet, requiredScenarios, runSuite, type SuiteResult } from './suite.ts'

export interface ClientRun {
  /** Run by a shell, which splits it at spaces. The environment says which scenario and which revision it is. */
  readonly command: string
  readonly requirements: RequirementSet
}

/** The required scenarios that are not about authorization. */
export function plainClientScenarios(requirements: RequirementSet): readonly string[] {
  return requiredScenarios(requirements, 'client').filter((name) => !name.startsWith('auth/'))
}

/** Throws only when the suite cannot be started. */
export async function runClientSuite({ command, requirements }: ClientRun): Promise<SuiteResult> {
  const scenarios: SuiteResult['scenarios'][number][] = []
  let output = ''
  let exitCode: number | null = 0
  for (const name of plainClientScenarios(requirements)) {
    const options = ['--command', command, '--scenario', name, '--spec-version', requirements]
    const run = await runSuite('client', options)
    scenarios.push(run.result(name, true))
    output += run.output
    if (run.exitCode !== 0) exitCode = run.exitCode
  }
  return { exitCode, scenarios, output }
}
