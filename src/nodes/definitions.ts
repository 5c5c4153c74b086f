import type { WorkflowNode } from '../model/workflow/workflow.ts'
import { authCheckNode } from './auth-check/definition.ts'
import { cacheNode } from './cache/definition.ts'
import { codeNode } from './code/definition.ts'
import { conditionNode } from './condition/definition.ts'
import { delayNode } from './delay/definition.ts'
import { foreachNode } from './foreach/definition.ts'
import { httpRequestNode } from './http-request/definition.ts'
import { httpTrigger } from './http-trigger/definition.ts'
import { joinNode } from './join/definition.ts'
import { llmNode } from './llm/definition.ts'
import { logNode } from './log/definition.ts'
import { manualTrigger } from './manual-trigger/definition.ts'
import { mcpCallNode } from './mcp-call/definition.ts'
import { mysqlNode } from './mysql/definition.ts'
import type { NodeType } from './node-type.ts'
import { postgresNode } from './postgres/definition.ts'
import { proxyNode } from './proxy/definition.ts'
import { rateLimitNode } from './rate-limit/definition.ts'
import { redactNode } from './redact/definition.ts'
import { redisNode } from './redis/definition.ts'
import { responseNode } from './response/definition.ts'
import { setNode } from './set/definition.ts'
import { smtpNode } from './smtp/definition.ts'
import { subworkflowNode } from './subworkflow/definition.ts'
import { switchNode } from './switch/definition.ts'
import { transformNode } from './transform/definition.ts'
import { validateNode } from './validate/definition.ts'

/** Every type of node that a definition may hold. */
export const NODE_TYPES: readonly NodeType[] = [
  httpTrigger,
  manualTrigger,
  proxyNode,
  httpRequestNode,
  mcpCallNode,
  llmNode,
  subworkflowNode,
  authCheckNode,
  rateLimitNode,
  conditionNode,
  switchNode,
  validateNode,
  joinNode,
  foreachNode,
  delayNode,
  logNode,
  setNode,
  codeNode,
  cacheNode,
  transformNode,
  redactNode,
  postgresNode,
  mysqlNode,
  redisNode,
  smtpNode,
  responseNode,
]

const BY_NAME = new Map(NODE_TYPES.map((type) => [type.name, type]))

/** The type of nodes with this name. */
export function nodeType(name: string): NodeType | undefined {
  return BY_NAME.get(name)
}

/** Handles by which a run can leave a node. */
export function handlesOf(node: WorkflowNode, type: NodeType): readonly string[] {
  const own = type.handlesBy?.(node.config) ?? type.handles
  if (own.length === 0) return own
  return node.on_error === 'handle' && !own.includes('error') ? [...own, 'error'] : own
}
