import assert from 'node:assert/strict'
import { SYSTEM_AMBIENT } from '../../src/base/expression/expression.ts'
import type { Plain } from '../../src/base/json/storable.ts'
import { WorkflowDefinition } from '../../src/model/workflow/workflow.ts'
import { handlesOf, nodeType } from '../../src/nodes/definitions.ts'
import type { NodeContext, NodeResult, NodeRun } from '../../src/nodes/run.ts'

/** The surroundings of a node that asks nothing of its run. */
export const ALONE: NodeContext = {
  before: {},
  request: {},
  ambient: SYSTEM_AMBIENT,
  caller: { client: '', profile: '', subject: '', claims: new Map() },
  callUpstream: () => assert.fail('no node of this test calls the upstream'),
  askService: () => assert.fail('no node of this test asks a server'),
  callServer: () => assert.fail('no node of this test calls a server of its own'),
  callTool: () => assert.fail('no node of this test calls a tool'),
  runCode: () => assert.fail('no node of this test runs code'),
  runWorkflow: () => assert.fail('no node of this test runs a workflow'),
  takeRate: () => assert.fail('no node of this test counts'),
  values: {
    get: () => assert.fail('no node of this test reads values'),
    set: () => assert.fail('no node of this test keeps values'),
    delete: () => assert.fail('no node of this test deletes values'),
  },
  countTokens: () => assert.fail('no node of this test uses tokens'),
  log: () => assert.fail('no node of this test logs'),
  pause: () => assert.fail('no node of this test waits'),
}

/**
 * Runs a node as a workflow would: its definition parses the settings, `run` links them and executes once. Asserts that the
 * result has a handle and outputs that the definition names.
 */
export function executed(
  run: NodeRun,
  config: Plain,
  inputs: Plain,
  context: NodeContext = ALONE,
): NodeResult {
  const result = begun(run, config, inputs, context)
  assert.ok(!(result instanceof Promise), `${run.name} answers at once`)
  return judged(run, config, result)
}

/** The same for a node that answers later. */
export async function executedLater(
  run: NodeRun,
  config: Plain,
  inputs: Plain,
  context: NodeContext,
): Promise<NodeResult> {
  return judged(run, config, await begun(run, config, inputs, context))
}

function begun(run: NodeRun, config: Plain, inputs: Plain, context: NodeContext) {
  // The settings of a node are an object
  return run.link(nodeType(run.name)!.config.parse(config) as Plain)(inputs, context)
}

function judged(run: NodeRun, config: Plain, result: NodeResult): NodeResult {
  const type = nodeType(run.name)
  assert.ok(type, `${run.name} has a definition`)
  const {
    nodes: [node],
  } = WorkflowDefinition.parse({ nodes: [{ id: 'node', type: run.name, config }] })
  assert.ok(handlesOf(node!, type).includes(result.handle), `${run.name} is left by ${result.handle}`)
  const names = Object.keys(result.outputs)
  const unknown = '*' in type.outputs ? [] : names.filter((name) => !Object.hasOwn(type.outputs, name))
  assert.deepEqual(unknown, [], `outputs that the definition of ${run.name} does not name`)
  return result
}
