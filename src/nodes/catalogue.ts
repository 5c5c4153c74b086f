import type { WorkflowNode } from '../model/workflow.ts'
import { CALLS } from './calls.ts'
import { DATA } from './data.ts'
import { DECISIONS } from './decisions.ts'
import type { NodeType } from './define.ts'
import { FLOW } from './flow.ts'
import { SERVICES } from './services.ts'
import { TRIGGERS } from './triggers.ts'

/** Every type of node that a definition may hold. */
export const NODE_TYPES: readonly NodeType[] = [
  ...TRIGGERS,
  ...CALLS,
  ...DECISIONS,
  ...FLOW,
  ...DATA,
  ...SERVICES,
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
