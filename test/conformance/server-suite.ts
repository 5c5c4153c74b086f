/** Runs the server side of the conformance suite against a URL, with a credential where one is needed. */
import { startCredentialProxy } from './credential-proxy.ts'
import {
  type RequirementSet,
  requiredScenarios,
  runSuite,
  type SuiteResult,
  unscoredScenarios,
} from './suite.ts'

export interface ServerRun {
  /** The suite insists on a URL of this machine. */
  readonly url: string
  readonly requirements: RequirementSet
  /** Added to each request of the suite, such as a credential; names in lower case. */
  readonly headers?: Readonly<Record<string, string>>
}

/** Throws only when the suite cannot be started. */
export async function runServerSuite({ url, requirements, headers }: ServerRun): Promise<SuiteResult> {
  await using proxy = headers === undefined ? null : await startCredentialProxy(url, headers)
  const run = await runSuite('server', ['--url', proxy?.url ?? url, '--requirements', requirements])
  const scenarios = [
    ...requiredScenarios(requirements, 'server').map((name) => run.result(name, true)),
    ...unscoredScenarios(requirements, 'server').map((name) => run.result(name, false)),
  ]
  return { exitCode: run.exitCode, scenarios, output: run.output }
}
