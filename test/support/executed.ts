import assert from 'node:assert/strict'
import type { Plain } from '../../src/base/plain.ts'
import { WorkflowDefinition } from '../../src/model/workflow.ts'
import { handlesOf, nodeType } from '../../src/nodes/definitions.ts'
import type { NodeResult, NodeRun } from '../../src/nodes/run.ts'

/**
 * Runs a node as a workflow would: its definition parses the settings, `run` links them and executes once. Asserts that the
 * result has a handle and outputs that the definition names.
 */
export function executed(run: NodeRun, config: Plain, inputs: Plain): NodeResult {
  const type = nodeType(run.name)
  assert.ok(type, `${run.name} has a definition`)
  // The settings of a node are an object
  const parsed = type.config.parse(config) as Plain
  const {
    nodes: [node],
  } = WorkflowDefinition.parse({ nodes: [{ id: 'node', type: run.name, config: parsed }] })
  const result = run.link(parsed)(inputs)
  assert.ok(handlesOf(node!, type).includes(result.handle), `${run.name} is left by ${result.handle}`)
  const names = Object.keys(result.outputs)
  const unknown = '*' in type.outputs ? [] : names.filter((name) => !Object.hasOwn(type.outputs, name))
  assert.deepEqual(unknown, [], `outputs that the definition of ${run.name} does not name`)
  return result
}
