import { authCheckRun } from './auth-check/run.ts'
import { cacheRun } from './cache/run.ts'
import { codeRun } from './code/run.ts'
import { conditionRun } from './condition/run.ts'
import { delayRun } from './delay/run.ts'
import { foreachRun } from './foreach/run.ts'
import { httpRequestRun } from './http-request/run.ts'
import { httpTriggerRun } from './http-trigger/run.ts'
import { joinRun } from './join/run.ts'
import { llmRun } from './llm/run.ts'
import { logRun } from './log/run.ts'
import { manualTriggerRun } from './manual-trigger/run.ts'
import { mcpCallRun } from './mcp-call/run.ts'
import { mysqlRun } from './mysql/run.ts'
import { postgresRun } from './postgres/run.ts'
import { proxyRun } from './proxy/run.ts'
import { rateLimitRun } from './rate-limit/run.ts'
import { redactRun } from './redact/run.ts'
import { redisRun } from './redis/run.ts'
import { responseRun } from './response/run.ts'
import type { NodeRun } from './run.ts'
import { setRun } from './set/run.ts'
import { smtpRun } from './smtp/run.ts'
import { subworkflowRun } from './subworkflow/run.ts'
import { switchRun } from './switch/run.ts'
import { transformRun } from './transform/run.ts'
import { validateRun } from './validate/run.ts'

/** How gateway threads run each type of node. `definitions.ts` has the same types with their schemas. */
export const NODE_RUNS: ReadonlyMap<string, NodeRun> = new Map(
  [
    httpTriggerRun,
    manualTriggerRun,
    proxyRun,
    httpRequestRun,
    mcpCallRun,
    llmRun,
    subworkflowRun,
    authCheckRun,
    rateLimitRun,
    conditionRun,
    switchRun,
    validateRun,
    joinRun,
    foreachRun,
    delayRun,
    logRun,
    setRun,
    codeRun,
    cacheRun,
    transformRun,
    redactRun,
    postgresRun,
    mysqlRun,
    redisRun,
    smtpRun,
    responseRun,
  ].map((run) => [run.name, run]),
)
